"""One action from an open question to its answer, on real sockets: the decisive second run and its conclusion."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from scale_app.domain.compare import Change
from scale_app.domain.demo import DemoChange, Policy
from scale_app.domain.errors import NoExperiment
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.findings import LOOKS_TO_KEEP
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.service.hub import Hub
from tests.integration.hubs import opened_hub, seen

LONG_S = 120.0
KEPT_ALIVE = LoadPlan(users=20, spawn_rate=100, duration_s=LONG_S, requests_per_connection=None, think_time_s=0.0)
"""Both runs may take this long, so that a slow machine sends enough; each is stopped once it has shown its point."""
CLEARLY_EVEN = 0.955


async def stopped_once(hub: Hub, run_id: str, shown: Callable[[Snapshot], bool]) -> Snapshot:
    """The last snapshot of a run that is stopped at the first snapshot that shows it."""
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            if isinstance(event, SnapshotTaken):
                last = event.snapshot
                if last.state is RunState.RUNNING and shown(last):
                    await hub.stop(run_id)
    return last


async def test_keep_alive_leaves_it_open_and_new_connections_show_that_it_was_chance(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(pods=3, policy=Policy.RANDOM))
        first_id = await hub.start(KEPT_ALIVE)
        first = await stopped_once(hub, first_id, lambda now: now.elapsed_s >= 3)
        assert first.verdict.kind is not VerdictKind.EVEN
        planned = await hub.planned_experiment(first_id)
        assert planned.plan.requests_per_connection == 1
        second_id = await hub.experiment(first_id)
        second = await stopped_once(hub, second_id, lambda now: (now.verdict.score_low or 0) >= CLEARLY_EVEN)
        record = await hub.run(second_id)
        compared = await hub.compare(first_id, second_id)
    assert second.verdict.kind is VerdictKind.EVEN
    assert record.experiment_of == first_id
    assert compared.comparable
    assert "with a new connection for each request the balancer is even" in compared.conclusion
    if compared.changed is Change.CHANCE and first.verdict.kind is VerdictKind.UNDECIDED:
        assert compared.conclusion.startswith("Chance was the cause")
        assert "no more than chance" in compared.conclusion
    assert any(note.startswith("The connections differ: keep-alive") for note in compared.notes)
    async with opened_hub(tmp_path) as later:
        assert (await later.run(second_id)).experiment_of == first_id
        with pytest.raises(NoExperiment, match="is decided"):
            await later.experiment(second_id)


async def test_a_weight_that_explains_it_needs_no_experiment_and_a_fix_is_seen_as_one(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(pods=3, policy=Policy.WEIGHTED, weight=4))
        first_id = await hub.start(
            LoadPlan(users=40, spawn_rate=200, duration_s=3, requests_per_connection=20, think_time_s=0.0)
        )
        _, first = await seen(hub, first_id)
        assert first.verdict.kind is VerdictKind.UNEVEN
        with pytest.raises(NoExperiment, match="is explained: The balancer's weights are unequal"):
            await hub.experiment(first_id)
        await hub.demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
        second_id = await hub.start((await hub.run(first_id)).plan)
        await seen(hub, second_id)
        fixed = await hub.compare(first_id, second_id)
    assert fixed.changed is Change.BETTER
    assert fixed.conclusion == ""
    assert fixed.pods_by == "name"


MANY = LoadPlan(users=60, spawn_rate=200, duration_s=LONG_S, requests_per_connection=5, think_time_s=0.02)


async def killed_and_stopped(
    hub: Hub, plan: LoadPlan, policy: Policy, kill: Callable[[Snapshot], bool], stop: Callable[[Snapshot], bool]
) -> str:
    """A run in which this policy is set while it goes on; the first pod is killed at the first snapshot at which to
    kill, and the run is stopped at the first one after that at which to stop."""
    run_id, changed, killed = await hub.start(plan), False, False
    async with hub.subscribe(run_id) as events:
        async for _, event in events:
            last = event.snapshot if isinstance(event, SnapshotTaken) else None
            if last is None or last.state is not RunState.RUNNING or last.elapsed_s < 2:
                continue
            if not changed:
                changed = bool(await hub.demo.change(DemoChange(policy=policy)))
            elif not killed and kill(last):
                killed = bool(await hub.demo.change(DemoChange(kill_pod=(await hub.demo.status()).pods[0].name)))
            elif killed and stop(last):
                await hub.stop(run_id)
    return run_id


def one_is_unready(last: Snapshot) -> bool:
    return not all(pod.ready for pod in last.pods)


def weights_told(last: Snapshot | None) -> bool:
    return last is not None and "unequal_weights" in [finding.code for finding in last.findings]


def told_for_sure() -> Callable[[Snapshot], bool]:
    """At so many snapshots that the cause is kept in the record."""
    looks = count(1)
    return lambda last: weights_told(last) and next(looks) >= LOOKS_TO_KEEP


async def test_weights_set_in_mid_run_stay_the_cause_where_the_heaviest_pod_is_killed_at_the_end(
    tmp_path: Path,
) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(policy=Policy.RANDOM))
        run_id = await killed_and_stopped(hub, MANY, Policy.WEIGHTED, told_for_sure(), one_is_unready)
        record = await hub.run(run_id)
        assert record.state is RunState.STOPPED
        assert weights_told(record.last)
        with pytest.raises(NoExperiment, match="is explained: The balancer's weights are unequal"):
            await hub.experiment(run_id)


async def test_after_a_killed_pod_the_second_run_of_a_fair_balancer_still_concludes(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(pods=3, policy=Policy.RANDOM))
        plan = replace(KEPT_ALIVE, requests_per_connection=20)
        first_id = await killed_and_stopped(
            hub, plan, Policy.RANDOM, lambda last: last.elapsed_s >= 3, lambda last: last.balance.pods > 3
        )
        first = await hub.run(first_id)
        assert not weights_told(first.last)
        second_id = await hub.experiment(first_id)
        await stopped_once(hub, second_id, lambda now: (now.verdict.score_low or 0) >= CLEARLY_EVEN)
        compared = await hub.compare(first_id, second_id)
    assert "with a new connection for each request the balancer is even" in compared.conclusion
    assert "No conclusion" not in compared.conclusion
