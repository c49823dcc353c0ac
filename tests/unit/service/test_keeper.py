"""The history is kept within its limits: the oldest runs go, baselines and what goes on stay, and it is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from scale_app.domain.errors import RunNotFound, RunStillActive, StoreUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import DAY_S, KEEP_ALL, Retention, RunRecord
from scale_app.domain.snapshot import RunState, Source
from scale_app.service import keeper
from scale_app.service.keeper import Keeper
from tests.fakes import FakeClock, FakeStore

NOW_S = 1_700_000_000.0


class Room:
    """A keeper of a fake history whose runs ended the day before each other, "0" today. naps: how long it waited."""

    def __init__(self, retention: Retention) -> None:
        self.store = FakeStore()
        self.naps: list[float] = []
        self.refused: dict[str, Exception] = {}
        self.keeper = Keeper(self.store, FakeClock(NOW_S), retention, self.delete, self.nap)

    async def nap(self, seconds: float) -> None:
        self.naps.append(seconds)
        await asyncio.sleep(0)

    async def delete(self, run_id: str) -> None:
        if run_id in self.refused:
            raise self.refused[run_id]
        await self.store.delete(run_id)

    async def fill(self, runs: int) -> None:
        for age in range(runs):
            ended_s = NOW_S - age * DAY_S
            plan = LoadPlan("http://shop.example")
            run = RunRecord(str(age), plan, Source.HEADER, RunState.FINISHED, ended_s - 60, ended_s)
            await self.store.create(run)

    @property
    async def kept(self) -> list[str]:
        return [run.run_id for run in await self.store.runs(99, 0)]


async def looked(retention: Retention, runs: int = 6) -> Room:
    room = Room(retention)
    await room.fill(runs)
    await room.keeper.look()
    return room


async def test_runs_that_ended_long_ago_are_deleted(caplog: pytest.LogCaptureFixture) -> None:
    room = await looked(Retention(days=2.5, runs=0, size_mb=0))
    assert await room.kept == ["0", "1", "2"]
    assert (
        "run 5 of http://shop.example was deleted: it ended more than 2.5 days ago (SCALE_HISTORY_DAYS)" in caplog.text
    )


async def test_many_old_runs_are_deleted_some_at_a_time() -> None:
    room = await looked(Retention(days=1.5, runs=0, size_mb=0), runs=65)
    assert await room.kept == ["0", "1"]
    assert len(room.naps) == 63


async def test_the_oldest_of_too_many_runs_are_deleted(caplog: pytest.LogCaptureFixture) -> None:
    room = await looked(Retention(days=0, runs=4, size_mb=0))
    assert await room.kept == ["0", "1", "2", "3"]
    assert "more than 4 runs were kept (SCALE_HISTORY_RUNS)" in caplog.text


async def test_the_oldest_of_too_large_a_history_are_deleted(caplog: pytest.LogCaptureFixture) -> None:
    room = await looked(Retention(days=0, runs=0, size_mb=2.5))
    assert await room.kept == ["0", "1"]
    assert "the history took more than 2.5 MB (SCALE_HISTORY_MB)" in caplog.text


async def test_without_limits_nothing_is_deleted() -> None:
    assert len(await (await looked(KEEP_ALL)).kept) == 6


async def test_baselines_and_runs_that_go_on_stay(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(Retention(days=0.1, runs=1, size_mb=0.5))
    await room.fill(4)
    await room.store.mark_baseline("3", "main")
    await room.store.create(replace(await room.store.run("2"), run_id="going on", state=RunState.RUNNING))
    await room.keeper.look()
    await room.keeper.look()
    assert await room.kept == ["0", "going on", "3"]
    assert caplog.text.count("takes 3 MB, more than SCALE_HISTORY_MB = 0.5") == 1


async def test_the_newest_run_stays_however_large_it_is() -> None:
    assert await (await looked(Retention(days=0, runs=0, size_mb=0.1))).kept == ["0"]


@pytest.mark.parametrize("error", [RunStillActive("it goes on"), RunNotFound("5")])
async def test_a_run_that_cannot_be_deleted_now_holds_up_nothing(error: Exception) -> None:
    room = Room(Retention(days=0, runs=4, size_mb=3))
    await room.fill(6)
    room.refused = {"5": error}
    await room.keeper.look()
    assert await room.kept == ["0", "1", "5"]


async def test_the_store_tidies_up_step_by_step() -> None:
    room = Room(KEEP_ALL)
    room.store.untidy = 3
    await room.keeper.look()
    assert room.naps == [keeper.PAUSE_S] * 3


@pytest.mark.parametrize("error", [StoreUnavailable("The disk is away."), RuntimeError("The disk is away.")])
async def test_what_fails_is_told_and_tried_again(error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    room = Room(Retention(days=0, runs=1, size_mb=0))
    await room.fill(3)
    room.refused = {"2": error}
    await room.keeper.look()
    assert "tries again later" in caplog.text
    assert "The disk is away." in caplog.text
    room.refused = {}
    await room.keeper.look()
    assert await room.kept == ["0"]


async def test_it_looks_again_and_again_but_not_at_once() -> None:
    room = Room(Retention(days=0, runs=2, size_mb=0))
    await room.fill(3)
    keeping = asyncio.create_task(room.keeper.keep())
    await asyncio.sleep(0)
    assert len(await room.kept) == 3
    while len(room.naps) < 4:
        await asyncio.sleep(0)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    assert await room.kept == ["0", "1"]
    assert room.naps == [keeper.FIRST_AFTER_S, keeper.PAUSE_S, keeper.EVERY_S, keeper.EVERY_S]
