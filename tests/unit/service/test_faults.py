"""Whatever part of a run fails in a way that nobody foresaw: it is said, the run ends, and its place is free again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from scale_app.domain.errors import RunNotActive, RunNotFound, RunStillActive, TargetGone
from scale_app.domain.events import StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample, PodCount, TrafficSample
from scale_app.domain.snapshot import RunState, Source
from tests.fakes_counting import PlayedCounter
from tests.fakes_faulty import FaultyCounter, FaultyDirectory, FaultyGenerator, Moment, let_all_go
from tests.fakes_load import PlayedGenerator
from tests.unit.service.house import House, settled

PLAN = LoadPlan(target_url="http://127.0.0.1:1/", timeout_s=10, duration_s=60)
OPEN: list[House] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await let_all_go()
    while OPEN:
        await OPEN.pop().hub.close()


def a_house(**parts: Any) -> House:
    """With room for one run."""
    OPEN.append(House(max_runs=1, **parts))
    return OPEN[-1]


async def begun(house: House, plan: LoadPlan = PLAN) -> str:
    """A run that has sent load for a second, if it can."""
    run_id = await house.hub.start(plan)
    await settled()
    if house.generator.loads:
        house.load.ready()
        house.load.traffic(1, a=50, b=50)
    await settled()
    return run_id


async def pass_time(house: House, seconds: float) -> None:
    for _ in range(int(seconds)):
        house.clock.advance(1)
        await settled()


async def sees_another_run_through(house: House) -> None:
    """Its place is free, and nothing of the failed run is in the way."""
    house.generator.__class__ = PlayedGenerator
    run_id = await begun(house)
    house.load.end(2)
    await settled()
    await pass_time(house, 6)
    assert (await house.hub.run(run_id)).state is RunState.FINISHED


@pytest.mark.parametrize("moment", ["start", "first", "mid"])
async def test_a_load_that_fails_is_a_failed_run_that_says_how(moment: Moment) -> None:
    house = a_house(generator=FaultyGenerator(moment))
    record = await house.hub.run(await begun(house))
    assert record.state is RunState.FAILED
    assert "RuntimeError: boom" in record.message
    await sees_another_run_through(house)


async def test_a_load_that_breaks_off_without_an_end_is_a_failed_run() -> None:
    house = a_house(generator=FaultyGenerator("silent end"))
    record = await house.hub.run(await begun(house))
    assert record.state is RunState.FAILED
    assert "broke off" in record.message
    assert house.load.killed
    await sees_another_run_through(house)


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_load_that_cannot_be_asked_to_stop_is_put_down(hangs: bool) -> None:
    house = a_house(generator=FaultyGenerator("stop", hangs))
    run_id = await begun(house)
    stopping = asyncio.create_task(house.hub.stop(run_id))
    await settled()
    await pass_time(house, 6)
    await stopping
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "could not be asked to stop" in record.message
    assert house.load.killed
    await sees_another_run_through(house)


@pytest.mark.parametrize("moment", ["kill", "close"])
@pytest.mark.parametrize("hangs", [False, True])
async def test_a_load_that_cannot_be_killed_or_closed_frees_its_place(moment: Moment, hangs: bool) -> None:
    house = a_house(generator=FaultyGenerator(moment, hangs))
    run_id = await begun(house)
    house.load.end(60)
    await settled()
    await pass_time(house, 12)
    assert (await house.hub.run(run_id)).state is RunState.FINISHED
    await sees_another_run_through(house)


async def test_a_load_that_never_begins_is_a_failed_run() -> None:
    house = a_house(generator=FaultyGenerator("start", hangs=True))
    run_id = await begun(house)
    await pass_time(house, 119)
    assert (await house.hub.run(run_id)).state is RunState.STARTING
    await pass_time(house, 10)
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not begin within 120 s" in record.message
    await sees_another_run_through(house)


async def test_a_load_that_goes_on_beyond_its_time_is_put_down() -> None:
    house = a_house()
    run_id = await begun(house)
    await pass_time(house, 60 + 10 + 29)
    assert (await house.hub.run(run_id)).state is RunState.RUNNING
    await pass_time(house, 5)
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not end within 100 s of its begin" in record.message
    assert house.load.killed


async def test_a_server_that_was_paused_reads_what_came_meanwhile_first() -> None:
    house = a_house()
    run_id = await begun(house)
    house.clock.advance(3_600)
    house.load.end(60)
    await settled()
    assert (await house.hub.run(run_id)).state is RunState.FINISHED


async def test_a_load_that_does_not_stop_is_put_down_by_itself() -> None:
    house = a_house()
    run_id = await begun(house)
    await house.hub.stop(run_id)
    await pass_time(house, 30)
    assert (await house.hub.run(run_id)).state is RunState.STOPPING
    await pass_time(house, 5)
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not end within 30 s of the stop" in record.message
    assert house.load.killed


async def test_a_second_stop_puts_down_what_did_not_stop_in_time() -> None:
    house = a_house()
    run_id = await begun(house)
    await house.hub.stop(run_id)
    await pass_time(house, 12)
    with pytest.raises(RunNotActive, match="up to 10 s"):
        await house.hub.stop(run_id)
    await pass_time(house, 1)
    await house.hub.stop(run_id)
    await settled()
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "second asking" in record.message
    assert house.load.killed
    await sees_another_run_through(house)


async def test_a_run_that_did_not_stop_in_time_can_be_deleted() -> None:
    house = a_house()
    run_id = await begun(house)
    await house.hub.stop(run_id)
    with pytest.raises(RunStillActive):
        await house.hub.delete(run_id)
    await pass_time(house, 13)
    await house.hub.delete(run_id)
    with pytest.raises(RunNotFound):
        await house.hub.run(run_id)
    assert house.load.killed
    await sees_another_run_through(house)


async def test_a_stop_while_the_load_hangs_at_its_start_ends_the_run() -> None:
    house = a_house(generator=FaultyGenerator("start", hangs=True))
    run_id = await begun(house)
    await house.hub.stop(run_id)
    await pass_time(house, 13)
    await house.hub.stop(run_id)
    await settled()
    await pass_time(house, 12)
    assert (await house.hub.run(run_id)).state is RunState.FAILED
    await sees_another_run_through(house)


@pytest.mark.parametrize("moment", ["first", "mid"])
async def test_pods_that_cannot_be_watched_any_more_are_said_and_the_run_goes_on(moment: Moment) -> None:
    directory = FaultyDirectory(moment)
    house = a_house(directory=directory)
    run_id = await begun(house)
    directory.fails.set()
    await settled()
    house.load.traffic(2, a=90, b=90)
    await settled()
    record = await house.hub.run(run_id)
    assert record.last is not None
    assert "RuntimeError: boom" in record.last.pods_problem
    house.load.end(60)
    await settled()
    assert (await house.hub.run(run_id)).state is RunState.FINISHED


@pytest.mark.parametrize("directory", [FaultyDirectory("close"), FaultyDirectory("mid", hangs=True)])
async def test_a_directory_that_cannot_be_closed_frees_the_runs_place(directory: FaultyDirectory) -> None:
    house = a_house(directory=directory)
    run_id = await begun(house)
    directory.fails.set()
    await settled()
    house.load.end(60)
    await settled()
    await pass_time(house, 6)
    assert (await house.hub.run(run_id)).state is RunState.FINISHED
    await sees_another_run_through(house)


async def test_a_target_that_is_gone_fails_the_run_with_all_that_was_counted() -> None:
    directory = FaultyDirectory("mid", error=TargetGone("The built-in target's process ended (exit code -9)."))
    house = a_house(directory=directory)
    run_id = await begun(house)
    directory.fails.set()
    await settled()
    assert house.load.stopped
    house.load.traffic(1.4, a=60, b=60)
    house.load.end(1.5)
    await settled()
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert record.message == "The built-in target's process ended (exit code -9)."
    assert record.last is not None
    assert record.last.requests == 120


async def test_a_target_that_is_gone_fails_the_run_also_when_its_load_does_not_end() -> None:
    directory = FaultyDirectory("mid", error=TargetGone("The built-in target's process ended (exit code -9)."))
    house = a_house(directory=directory)
    run_id = await begun(house)
    directory.fails.set()
    await settled()
    await pass_time(house, 8)
    record = await house.hub.run(run_id)
    assert (record.state, record.message) == (RunState.FAILED, "The built-in target's process ended (exit code -9).")
    assert house.load.killed


@pytest.mark.parametrize("moment", ["first", "mid"])
async def test_a_source_that_fails_is_said_and_costs_no_run(moment: Moment) -> None:
    counter = FaultyCounter(Source.PROMETHEUS, moment)
    house = a_house(counters={Source.PROMETHEUS: counter})
    run_id = await begun(house)
    counter.fails.set()
    await settled()
    house.load.play(TrafficSample(2, 5, 200, unnamed=PodCount(200)))
    house.load.end(60)
    await settled()
    record = await house.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last is not None
    assert any("RuntimeError: boom" in standing.problem for standing in record.last.counting.considered)


async def test_a_source_that_was_asked_for_and_fails_at_once_sends_no_load() -> None:
    house = a_house(counters={Source.PROMETHEUS: FaultyCounter(Source.PROMETHEUS, "first")})
    run_id = await begun(house, LoadPlan(target_url="http://127.0.0.1:1/", counting="prometheus"))
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "RuntimeError: boom" in record.message
    assert not house.generator.loads
    await sees_another_run_through(house)


async def test_a_source_that_cannot_be_closed_frees_the_runs_place() -> None:
    house = a_house(counters={Source.PROMETHEUS: FaultyCounter(Source.PROMETHEUS, "close")})
    run_id = await begun(house)
    house.load.end(0)
    await settled()
    await pass_time(house, 12)
    assert not (await house.hub.run(run_id)).state.active
    await sees_another_run_through(house)


async def test_figures_that_cannot_be_made_end_the_run_with_a_sentence() -> None:
    house = a_house()
    run_id = await begun(house)
    house.load.play(TrafficSample(2, 5, None))  # type: ignore[arg-type]
    await pass_time(house, 1)
    record = await house.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "error inside Scale" in record.message
    assert house.load.killed
    ends = [event for event in await house.store.events(run_id) if isinstance(event, StateChanged)]
    assert ends[-1].state is RunState.FAILED
    assert (await house.store.run(run_id)).state is RunState.FAILED
    await sees_another_run_through(house)


async def test_a_second_stop_ends_the_wait_for_a_slow_sources_last_reading() -> None:
    counter = PlayedCounter(Source.PROMETHEUS)
    house = a_house(counters={Source.PROMETHEUS: counter})
    counter.readings.put_nowait(CountsSample(-1, Source.PROMETHEUS, {"a": 0}, took_s=60))
    run_id = await begun(house)
    await house.hub.stop(run_id)
    house.load.end(2)
    await pass_time(house, 13)
    assert (await house.hub.run(run_id)).state is RunState.STOPPING
    await house.hub.stop(run_id)
    await settled()
    record = await house.hub.run(run_id)
    assert (record.state, record.message) == (RunState.STOPPED, "")
