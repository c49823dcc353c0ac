"""The main job on real parts: hub, Locust worker, database and built-in pods, over real sockets."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.domain.demo import DemoChange, Policy
from scale_app.domain.events import AlertCleared, AlertRaised, Event, PodChanged, SnapshotTaken
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from tests.integration.hubs import opened_hub, seen
from tests.integration.test_demo_process import demos_of

BRISK = LoadPlan(users=40, spawn_rate=40, duration_s=5, requests_per_connection=5, think_time_s=0.02)

EAGER = LoadPlan(users=20, spawn_rate=40, duration_s=3, think_time_s=0.0)


async def test_round_robin_scores_at_least_0_99_and_is_called_even(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
        _, last = await seen(hub, await hub.start(BRISK))
    assert last.state is RunState.FINISHED
    assert last.balance.score is not None
    assert last.balance.score >= 0.99
    assert last.verdict.kind is VerdictKind.EVEN
    assert last.verdict.more_even_than_chance


async def test_a_three_to_one_weight_is_alerted_within_ten_seconds(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(policy=Policy.WEIGHTED, weight=3))
        events, last = await seen(hub, await hub.start(BRISK))
    raised = [event for event in events if isinstance(event, AlertRaised)]
    assert raised
    assert raised[0].elapsed_s <= 10
    assert raised[0].alert.balance_score < raised[0].alert.threshold == 0.95
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert [pod.against_fair > 0 for pod in last.pods if pod.outlier].count(True) == 1


@pytest.mark.parametrize("requests_per_connection", [None, 1, 7], ids=["keep-alive", "new connection", "every 7"])
async def test_every_pods_count_is_what_the_pod_itself_counted(
    tmp_path: Path, requests_per_connection: int | None
) -> None:
    plan = replace(EAGER, requests_per_connection=requests_per_connection)
    async with opened_hub(tmp_path) as hub:
        _, last = await seen(hub, await hub.start(plan))
        answered = (await hub.demo.status()).answered
    counted = {pod.name: pod.requests for pod in last.pods}
    assert last.failures == last.unattributed == 0
    assert counted == answered
    assert last.requests == sum(answered.values()) > 500


async def test_a_stop_and_an_edit_lose_no_request(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        run_id = await hub.start(LoadPlan(users=10, spawn_rate=50, duration_s=30, think_time_s=0.0))
        async with hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.snapshot.requests and event.snapshot.state.active:
                    if event.snapshot.users == 10:
                        await hub.edit(run_id, PlanEdit(users=25))
                    elif event.snapshot.users == 25 and event.snapshot.state is RunState.RUNNING:
                        await hub.stop(run_id)
        record = await hub.run(run_id)
        answered = (await hub.demo.status()).answered
    assert record.state is RunState.STOPPED
    assert record.plan.users == 25
    assert record.last is not None
    assert record.last.requests == sum(answered.values())


async def test_edits_in_pairs_right_from_the_start_are_all_what_runs_in_the_end(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        run_id = await hub.start(LoadPlan(users=3, spawn_rate=30, duration_s=60, think_time_s=0.01))
        for users in range(4, 29):
            pair = (PlanEdit(users=users), PlanEdit(spawn_rate=30.0 + users))
            await asyncio.gather(*(hub.edit(run_id, edit) for edit in pair))
            plan = (await hub.run(run_id)).plan
            assert (plan.users, plan.spawn_rate) == (users, 30.0 + users)
            await asyncio.sleep(0.05)
        async with hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.snapshot.users == 28:
                    break
        await hub.stop(run_id)
    assert event.snapshot.users == 28


async def test_a_killed_pod_is_seen_to_leave_and_its_successor_gets_its_share(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
        victim = (await hub.demo.status()).pods[0].name
        run_id = await hub.start(LoadPlan(users=40, spawn_rate=40, duration_s=8, think_time_s=0.02))
        killed = False
        async with hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.elapsed_s >= 1 and not killed:
                    await hub.demo.change(DemoChange(kill_pod=victim))
                    killed = True
        changes = [event for event in await hub.events(run_id) if isinstance(event, PodChanged)]
        last = (await hub.run(run_id)).last
    assert ("left", victim) in [(event.change, event.pod) for event in changes]
    successor = next(event.pod for event in changes if event.change in ("joined", "ready"))
    assert last is not None
    rows = {pod.name: pod for pod in last.pods}
    assert rows[successor].requests > 0
    assert abs(rows[successor].against_fair) < 0.15
    assert last.balance.score is not None
    assert last.balance.score >= 0.9


async def test_an_imbalance_that_begins_while_running_is_alerted_and_cleared_when_mended(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        await hub.demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
        run_id = await hub.start(LoadPlan(users=40, spawn_rate=40, duration_s=40, think_time_s=0.02))
        kinds: list[type[Event]] = []
        uneven = False
        async with hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.elapsed_s >= 2 and not uneven:
                    await hub.demo.change(DemoChange(policy=Policy.WEIGHTED, weight=3))
                    uneven = True
                if isinstance(event, AlertRaised):
                    kinds.append(AlertRaised)
                    await hub.demo.change(DemoChange(policy=Policy.ROUND_ROBIN))
                if isinstance(event, AlertCleared):
                    kinds.append(AlertCleared)
                    await hub.stop(run_id)
    assert kinds == [AlertRaised, AlertCleared]


async def test_a_demo_that_dies_under_the_load_is_a_failed_run_that_says_so_and_the_next_run_works(
    tmp_path: Path,
) -> None:
    async with opened_hub(tmp_path) as hub:
        run_id = await hub.start(LoadPlan(users=10, spawn_rate=50, duration_s=120, think_time_s=0.01))
        died_s = 0.0
        async with hub.subscribe(run_id) as events:
            async for _, event in events:
                if isinstance(event, SnapshotTaken) and event.snapshot.elapsed_s >= 2 and not died_s:
                    (pid,) = demos_of(os.getpid())
                    os.kill(pid, signal.SIGKILL)
                    died_s = event.snapshot.elapsed_s
        record = await hub.run(run_id)
        _, next_last = await seen(hub, await hub.start(EAGER))
    assert record.state is RunState.FAILED
    assert record.message.startswith("The demo's process ended (exit code -9")
    assert record.last is not None
    assert record.last.requests > 500
    assert record.last.elapsed_s < died_s + 10  # at once; the bound is for a busy machine
    assert next_last.state is RunState.FINISHED


async def test_runs_in_parallel_keep_their_counts_apart(tmp_path: Path) -> None:
    plan = LoadPlan(users=5, spawn_rate=20, duration_s=2, think_time_s=0.01)
    async with opened_hub(tmp_path) as hub:
        ids = [await hub.start(plan) for _ in range(3)]
        lasts = [(await seen(hub, run_id))[1] for run_id in ids]
        answered = (await hub.demo.status()).answered
    assert all(last.state is RunState.FINISHED for last in lasts)
    assert sum(last.requests for last in lasts) == sum(answered.values())


async def test_what_a_viewer_saw_is_what_the_database_holds(tmp_path: Path) -> None:
    async with opened_hub(tmp_path) as hub:
        run_id = await hub.start(LoadPlan(users=5, spawn_rate=20, duration_s=2, think_time_s=0.01))
        _, last = await seen(hub, run_id)
    async with opened_hub(tmp_path) as later:
        record = await later.run(run_id)
        assert record.last == last
        assert record.state is RunState.FINISHED
        assert [point.elapsed_s for point in await later.history(run_id)][-1] == last.elapsed_s
