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
from tests.unit.service.house import House, settled


@pytest.fixture
async def house() -> AsyncIterator[House]:
    built = House()
    yield built
    await built.close()


async def test_a_viewer_by_number_gets_every_event_once_and_then_the_end(house: House) -> None:
    run_id = await house.started()
    async with house.hub.follow(run_id) as followed:
        assert followed.record.state is RunState.RUNNING
        house.load.traffic(1, a=5, b=5)
        await settled()
        house.load.end(2)
        seen = [numbered async for numbered in followed.updates]
    stored = await house.store.events(run_id)
    assert [each.seq for each in seen] == list(range(followed.seq + 1, len(stored)))
    assert [each.event for each in seen] == stored[followed.seq + 1 :]


async def test_a_snapshots_own_number_is_its_number_in_the_feed(house: House) -> None:
    run_id = await house.started()
    async with house.hub.follow(run_id) as followed:
        house.load.traffic(1, a=5, b=5)
        house.load.end(2)
        shots = [each async for each in followed.updates if isinstance(each.event, SnapshotTaken)]
    assert [each.seq for each in shots] == [
        each.event.snapshot.seq for each in shots if isinstance(each.event, SnapshotTaken)
    ]


@pytest.mark.parametrize("ended", [False, True])
async def test_after_a_cut_nothing_but_older_snapshots_is_missed(house: House, ended: bool) -> None:
    run_id = await house.started()
    for second in (1, 2, 3):
        house.load.traffic(second, a=5 * second, b=5 * second)
    await house.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    if ended:
        house.load.end(4)
        await settled()
    stored = list(enumerate(await house.store.events(run_id)))
    newest_shot = max(seq for seq, event in stored if isinstance(event, SnapshotTaken))
    async with house.hub.follow(run_id, after=0) as followed:
        if not ended:
            house.load.end(4)
            await settled()
        seen = [numbered async for numbered in followed.updates]
    stored = list(enumerate(await house.store.events(run_id)))
    wanted = [
        Numbered(seq, event)
        for seq, event in stored
        if seq > 0 and (seq >= newest_shot or not isinstance(event, SnapshotTaken))
    ]
    assert (followed.seq, seen) == (0, wanted)


async def test_a_viewer_that_has_seen_all_of_an_ended_run_gets_nothing_more(house: House) -> None:
    run_id = await house.started()
    house.load.end(2)
    await settled()
    newest = len(await house.store.events(run_id)) - 1
    async with house.hub.follow(run_id, after=newest) as followed:
        assert [each async for each in followed.updates] == []
    async with house.hub.follow(run_id) as followed:
        assert (followed.seq, followed.record.state) == (newest, RunState.FAILED)  # no request was made


@pytest.mark.parametrize("after", [-2, 10_000])
async def test_a_number_that_the_run_has_not_come_to_is_refused(house: House, after: int) -> None:
    run_id = await house.started()
    with pytest.raises(PlanError, match="to which this run has come"):
        async with house.hub.follow(run_id, after):
            pass


async def test_an_unknown_run_cannot_be_followed(house: House) -> None:
    with pytest.raises(RunNotFound):
        async with house.hub.follow("no-such"):
            pass


async def test_a_run_can_be_run_again_as_it_was_edited_last(house: House) -> None:
    run_id = await house.started(LoadPlan(users=5))
    await house.hub.edit(run_id, PlanEdit(users=9))
    await settled()
    house.load.end(2)
    await settled()
    again = await house.hub.rerun(run_id)
    await settled()
    assert again != run_id
    assert house.generator.plans == [LoadPlan(users=5), LoadPlan(users=9)]


async def test_a_run_that_cannot_be_read_is_shown_and_deleted_but_neither_repeated_nor_decided(house: House) -> None:
    run_id = await house.started()
    house.load.traffic(1, a=5, b=5)
    house.load.end(2)
    await settled()
    house.store.damage(run_id)
    assert "cannot be read" in (await house.hub.run(run_id)).unreadable
    with pytest.raises(StoreUnavailable, match=r"The run was not repeated\. The plan .* cannot be read"):
        await house.hub.rerun(run_id)
    with pytest.raises(NoExperiment, match="cannot be read"):
        await house.hub.experiment(run_id)
    await house.hub.delete(run_id)
    assert await house.hub.runs() == []


async def test_a_saved_plan_that_cannot_be_read_is_listed_but_not_given(house: House) -> None:
    await house.store.save_plan(SavedPlan("nightly", LoadPlan(), 1.0, "The saved plan 'nightly' cannot be read."))
    assert [saved.name for saved in await house.hub.plans()] == ["nightly"]
    with pytest.raises(StoreUnavailable, match="cannot be read"):
        await house.hub.plan("nightly")


async def test_a_baseline_is_one_ended_run_at_a_time(house: House) -> None:
    first = await house.started()
    with pytest.raises(RunStillActive, match="Stop it, then mark it"):
        await house.hub.mark_baseline(first, "main")
    house.load.end(2)
    second = await house.started()
    house.load.end(2)
    await settled()
    await house.hub.mark_baseline(first, "main")
    await house.hub.mark_baseline(second, "main")
    assert (await house.hub.baseline("main")).run_id == second
    assert (await house.hub.run(first)).baseline == ""
    await house.hub.mark_baseline(second, "")
    with pytest.raises(BaselineNotFound, match="No run is marked as the baseline 'main'"):
        await house.hub.baseline("main")


@pytest.mark.parametrize("name", ["a/b", " a", "a\n", "x" * 81, ".."])
async def test_a_name_that_no_path_can_hold_is_refused(house: House, name: str) -> None:
    with pytest.raises(PlanError, match="no slash"):
        await house.hub.mark_baseline("any", name)
    with pytest.raises(PlanError, match="no slash"):
        await house.hub.save_plan(name, LoadPlan())


async def test_the_empty_name_is_no_baseline_and_no_plan(house: House) -> None:
    with pytest.raises(BaselineNotFound):
        await house.hub.baseline("")
    with pytest.raises(PlanError):
        await house.hub.save_plan("", LoadPlan())


async def test_plans_are_kept_by_name(house: House) -> None:
    await house.hub.save_plan("nightly", LoadPlan(users=5))
    saved = await house.hub.save_plan("nightly", LoadPlan(users=6))
    await house.hub.save_plan("canary", LoadPlan("simulated"))
    assert [each.name for each in await house.hub.plans()] == ["canary", "nightly"]
    assert await house.hub.plan("nightly") == saved
    await house.hub.delete_plan("nightly")
    for refused in (house.hub.plan("nightly"), house.hub.delete_plan("nightly")):
        with pytest.raises(PlanNotFound, match="No plan is saved as 'nightly'"):
            await refused
