"""What every RunStore promises of lists: runs by filter and page, baselines and saved plans by name."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from scale_app.domain.errors import PlanNotFound, RunNotFound
from scale_app.domain.events import PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunFilter, RunRecord, SavedPlan, headline_of, outline_of
from scale_app.domain.recording import Began
from scale_app.domain.samples import LoadReady
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.ports import RunStore
from tests.contract.records import record
from tests.fakes import a_snapshot


async def test_runs_are_listed_newest_first_and_by_page(store: RunStore) -> None:
    for n in (2, 0, 4, 1, 3):
        await store.create(record(f"run-{n}", at_s=float(n)))
    assert [run.run_id for run in await store.runs(2, 0)] == ["run-4", "run-3"]
    assert [run.run_id for run in await store.runs(10, 3)] == ["run-1", "run-0"]
    assert await store.runs(10, 5) == []


async def some_runs(store: RunStore) -> None:
    uneven = replace(a_snapshot("b"), verdict=Verdict(VerdictKind.UNEVEN, "Uneven."))
    await store.create(RunRecord("a", LoadPlan("http://shop_1.example/50%"), Source.HEADER, RunState.RUNNING, 1.0))
    await store.create(RunRecord("b", LoadPlan(), Source.DEMO, RunState.STARTING, 2.0))
    await store.create(
        RunRecord("c", LoadPlan("http://SHOPX1.example/"), Source.HEADER, RunState.FAILED, 3.0, experiment_of="a")
    )
    await store.append("b", 0, [StateChanged(0.0, RunState.RUNNING), SnapshotTaken(1.0, uneven)])
    await store.mark_baseline("b", "main")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (RunFilter(), "cba"),
        (RunFilter(state=RunState.RUNNING), "ba"),
        (RunFilter(source=Source.HEADER), "ca"),
        (RunFilter(source=Source.HEADER, state=RunState.RUNNING), "a"),
        (RunFilter(verdict=VerdictKind.UNEVEN), "b"),
        (RunFilter(verdict=VerdictKind.NO_DATA), ""),
        (RunFilter(target="ShoP"), "ca"),
        (RunFilter(target="shop_1"), "a"),
        (RunFilter(target="50%"), "a"),
        (RunFilter(target="%"), "a"),
        (RunFilter(target="emo"), "b"),
        (RunFilter(target="a\x00\ud800'"), ""),
        (RunFilter(baseline="main"), "b"),
        (RunFilter(baseline="other"), ""),
        (RunFilter(marked=True), "b"),
        (RunFilter(experiment_of="a"), "c"),
        (RunFilter(id_begins="b"), "b"),
        (RunFilter(id_begins="_"), ""),
        (RunFilter(id_begins="bb"), ""),
    ],
)
async def test_a_list_may_be_of_some_runs_only(store: RunStore, wanted: RunFilter, found: str) -> None:
    await some_runs(store)
    assert "".join(run.run_id for run in await store.runs(10, 0, wanted)) == found
    assert await store.count(wanted) == len(found)
    assert "".join(run.run_id for run in await store.runs(1, 1, wanted)) == found[1:2]


async def test_runs_that_are_known_from_elsewhere_are_left_out(store: RunStore) -> None:
    await some_runs(store)
    assert "".join(run.run_id for run in await store.runs(10, 0, without=("b", "no-such"))) == "ca"
    assert await store.count(RunFilter(state=RunState.RUNNING), without=("b",)) == 1


async def test_a_list_says_what_there_is_in_the_runs_last_snapshot(store: RunStore) -> None:
    await store.create(replace(record("a"), experiment_of="b", message="Why.", ended_at_epoch_s=5.5))
    shot = replace(a_snapshot("a", requests=(10**12, 1)), p95_ms=12.5, failures=3)
    (without,) = await store.runs(10, 0)
    assert without == outline_of(await store.run("a"))
    assert without.headline is None
    await store.append("a", 0, [SnapshotTaken(1.0, shot), PlanEdited(1.5, LoadPlan(users=8, duration_s=7.5))])
    (listed,) = await store.runs(10, 0)
    assert listed == outline_of(await store.run("a"))
    assert (listed.users, listed.duration_s, listed.headline) == (8, 7.5, headline_of(shot))


async def test_the_plans_of_a_pages_runs_are_asked_for_by_their_ids(store: RunStore) -> None:
    for run_id in "abc":
        await store.create(RunRecord(run_id, LoadPlan(f"http://{run_id}.example"), Source.HEADER, RunState.FAILED, 1.0))
    plans = await store.plans_of(["a", "c", "no-such", "\x00\ud800"])
    assert plans == {run_id: LoadPlan(f"http://{run_id}.example") for run_id in "ac"}
    assert await store.plans_of([]) == {}


async def test_the_oldest_ended_runs_are_found_but_for_baselines(store: RunStore) -> None:
    for at_s, state in enumerate(RunState):
        await store.create(record(state.value, float(at_s), state))
    await store.mark_baseline("failed", "main")
    ended = [state.value for state in RunState if not state.active and state is not RunState.FAILED]
    assert [run.run_id for run in await store.oldest(10)] == ended
    assert [run.run_id for run in await store.oldest(1)] == ended[:1]


async def test_the_history_becomes_larger_with_a_run_and_smaller_without_it(store: RunStore) -> None:
    await store.create(record("a", state=RunState.FINISHED))
    before = await store.size_bytes()
    await store.create(record("b"))
    shots = [SnapshotTaken(float(n), a_snapshot("b", seq=n, requests=range(n, n + 200))) for n in range(250)]
    await store.append("b", 0, shots)
    await store.record("b", 0, [Began(LoadPlan(), Source.DEMO, 0.0), *(LoadReady(float(n)) for n in range(250))])
    assert await store.size_bytes() > before
    await store.delete("b")
    assert await store.size_bytes() <= before * 1.2
    assert await store.points("b") == []
    assert [run.run_id for run in await store.runs(9, 0)] == ["a"]


async def test_tidying_comes_to_an_end_and_changes_nothing_that_is_read(store: RunStore) -> None:
    await store.create(record("a", state=RunState.FINISHED))
    await store.append("a", 0, [SnapshotTaken(1.0, a_snapshot("a"))])
    before = await store.run("a"), await store.events("a")
    for _ in range(20):
        if not await store.tidy():
            break
    assert not await store.tidy()
    assert (await store.run("a"), await store.events("a")) == before


async def test_a_baselines_name_is_taken_from_the_run_that_had_it(store: RunStore) -> None:
    for run_id in ("a", "b", "c"):
        await store.create(record(run_id, state=RunState.FINISHED))
        await store.mark_baseline(run_id, "main" if run_id != "b" else "other")
    assert [run.baseline for run in await store.runs(3, 0)] == ["main", "other", ""]
    await store.mark_baseline("c", "")
    assert [run.baseline for run in await store.runs(3, 0)] == ["", "other", ""]
    with pytest.raises(RunNotFound):
        await store.mark_baseline("no-such", "other")
    assert (await store.run("b")).baseline == "other"


async def test_saved_plans_come_back_by_name_and_are_replaced_by_name(store: RunStore) -> None:
    saved = [SavedPlan(name, LoadPlan(users=n), float(n)) for n, name in enumerate(("Z", "a", "ä 'x'"), 1)]
    for each in (*saved, replace(saved[0], saved_at_epoch_s=9.0)):
        await store.save_plan(each)
    assert await store.plans() == [replace(saved[0], saved_at_epoch_s=9.0), *saved[1:]]
    await store.delete_plan("a")
    assert [each.name for each in await store.plans()] == ["Z", "ä 'x'"]


async def test_people_who_save_at_the_same_time_wait_for_one_another(store: RunStore) -> None:
    plans = [SavedPlan(f"plan {n % 4}", LoadPlan(users=n), 0.0) for n in range(1, 41)]
    await asyncio.gather(*(store.save_plan(plan) for plan in plans))
    kept = await store.plans()
    assert [plan.name for plan in kept] == ["plan 0", "plan 1", "plan 2", "plan 3"]
    assert all(plan in plans for plan in kept)


@pytest.mark.parametrize("name", ["", "no-such", "\x00", "\ud800"])
async def test_an_unknown_plan_cannot_be_deleted(store: RunStore, name: str) -> None:
    with pytest.raises(PlanNotFound):
        await store.delete_plan(name)
