"""Runs by number, baselines by name and saved plans, of runs that go on and of runs that have ended alike."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from scale_app.domain.errors import (
    BaselineNotFound,
    NoExperiment,
    PlanError,
    PlanNotFound,
    RunNotFound,
    RunStillActive,
    StoreUnavailable,
)
from scale_app.domain.events import Numbered, SnapshotTaken
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import SavedPlan
from scale_app.domain.snapshot import RunState
from tests.unit.service.harness import Harness, settled


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    built = Harness()
    yield built
    await built.close()


async def test_a_viewer_by_number_gets_every_event_once_and_then_the_end(harness: Harness) -> None:
    run_id = await harness.started()
    async with harness.hub.follow(run_id) as followed:
        assert followed.record.state is RunState.RUNNING
        harness.load.traffic(1, a=5, b=5)
        await settled()
        harness.load.end(2)
        seen = [numbered async for numbered in followed.updates]
    stored = await harness.store.events(run_id)
    assert [each.seq for each in seen] == list(range(followed.seq + 1, len(stored)))
    assert [each.event for each in seen] == stored[followed.seq + 1 :]


async def test_a_snapshots_own_number_is_its_number_in_the_feed(harness: Harness) -> None:
    run_id = await harness.started()
    async with harness.hub.follow(run_id) as followed:
        harness.load.traffic(1, a=5, b=5)
        harness.load.end(2)
        shots = [each async for each in followed.updates if isinstance(each.event, SnapshotTaken)]
    assert [each.seq for each in shots] == [
        each.event.snapshot.seq for each in shots if isinstance(each.event, SnapshotTaken)
    ]


@pytest.mark.parametrize("ended", [False, True])
async def test_after_a_cut_nothing_but_older_snapshots_is_missed(harness: Harness, ended: bool) -> None:
    run_id = await harness.started()
    for second in (1, 2, 3):
        harness.load.traffic(second, a=5 * second, b=5 * second)
    await harness.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    if ended:
        harness.load.end(4)
        await settled()
    stored = list(enumerate(await harness.store.events(run_id)))
    newest_shot = max(seq for seq, event in stored if isinstance(event, SnapshotTaken))
    async with harness.hub.follow(run_id, after=0) as followed:
        if not ended:
            harness.load.end(4)
            await settled()
        seen = [numbered async for numbered in followed.updates]
    stored = list(enumerate(await harness.store.events(run_id)))
    wanted = [
        Numbered(seq, event)
        for seq, event in stored
        if seq > 0 and (seq >= newest_shot or not isinstance(event, SnapshotTaken))
    ]
    assert (followed.seq, seen) == (0, wanted)


async def test_a_viewer_that_has_seen_all_of_an_ended_run_gets_nothing_more(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.end(2)
    await settled()
    newest = len(await harness.store.events(run_id)) - 1
    async with harness.hub.follow(run_id, after=newest) as followed:
        assert [each async for each in followed.updates] == []
    async with harness.hub.follow(run_id) as followed:
        assert (followed.seq, followed.record.state) == (newest, RunState.FAILED)  # no request was made


@pytest.mark.parametrize("after", [-2, 10_000])
async def test_a_number_that_the_run_has_not_come_to_is_refused(harness: Harness, after: int) -> None:
    run_id = await harness.started()
    with pytest.raises(PlanError, match="the newest of this run"):
        async with harness.hub.follow(run_id, after):
            pass


async def test_an_unknown_run_cannot_be_followed(harness: Harness) -> None:
    with pytest.raises(RunNotFound):
        async with harness.hub.follow("no-such"):
            pass


async def test_a_run_can_be_run_again_as_it_was_edited_last(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(users=5))
    await harness.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    harness.load.end(2)
    await settled()
    again = await harness.hub.rerun(run_id)
    await settled()
    assert again != run_id
    assert harness.generator.plans == [LoadPlan(users=5), LoadPlan(users=9)]


async def test_a_run_that_cannot_be_read_is_shown_and_deleted_but_neither_repeated_nor_decided(
    harness: Harness,
) -> None:
    run_id = await harness.started()
    harness.load.traffic(1, a=5, b=5)
    harness.load.end(2)
    await settled()
    harness.store.damage(run_id)
    assert "cannot be read" in (await harness.hub.run(run_id)).unreadable
    with pytest.raises(StoreUnavailable, match=r"The run was not repeated\. The plan .* cannot be read"):
        await harness.hub.rerun(run_id)
    with pytest.raises(NoExperiment, match="cannot be read"):
        await harness.hub.experiment(run_id)
    await harness.hub.delete(run_id)
    assert await harness.hub.runs() == []


async def test_a_saved_plan_that_cannot_be_read_is_listed_but_not_given(harness: Harness) -> None:
    await harness.store.save_plan(SavedPlan("nightly", LoadPlan(), 1.0, "The saved plan 'nightly' cannot be read."))
    assert [saved.name for saved in await harness.hub.plans()] == ["nightly"]
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await harness.hub.plan("nightly")


async def test_a_baseline_is_one_ended_run_at_a_time(harness: Harness) -> None:
    first = await harness.started()
    with pytest.raises(RunStillActive, match="Stop it, then mark it"):
        await harness.hub.mark_baseline(first, "main")
    harness.load.end(2)
    second = await harness.started()
    harness.load.end(2)
    await settled()
    await harness.hub.mark_baseline(first, "main")
    await harness.hub.mark_baseline(second, "main")
    assert (await harness.hub.baseline("main")).run_id == second
    assert (await harness.hub.run(first)).baseline == ""
    await harness.hub.mark_baseline(second, "")
    with pytest.raises(BaselineNotFound, match="No run is set as the baseline 'main'"):
        await harness.hub.baseline("main")


@pytest.mark.parametrize("name", ["a/b", " a", "a\n", "x" * 81, ".."])
async def test_a_name_that_no_path_can_hold_is_refused(harness: Harness, name: str) -> None:
    with pytest.raises(PlanError, match="no slash"):
        await harness.hub.mark_baseline("any", name)
    with pytest.raises(PlanError, match="no slash"):
        await harness.hub.save_plan(name, LoadPlan())


async def test_the_empty_name_is_no_baseline_and_no_plan(harness: Harness) -> None:
    with pytest.raises(BaselineNotFound):
        await harness.hub.baseline("")
    with pytest.raises(PlanError):
        await harness.hub.save_plan("", LoadPlan())


async def test_plans_are_kept_by_name(harness: Harness) -> None:
    await harness.hub.save_plan("nightly", LoadPlan(users=5))
    saved = await harness.hub.save_plan("nightly", LoadPlan(users=6))
    await harness.hub.save_plan("canary", LoadPlan("simulated"))
    assert [each.name for each in await harness.hub.plans()] == ["canary", "nightly"]
    assert await harness.hub.plan("nightly") == saved
    await harness.hub.delete_plan("nightly")
    for refused in (harness.hub.plan("nightly"), harness.hub.delete_plan("nightly")):
        with pytest.raises(PlanNotFound, match="No plan is saved as 'nightly'"):
            await refused
