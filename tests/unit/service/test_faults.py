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
from tests.unit.service.harness import Harness, settled

PLAN = LoadPlan(target_url="http://127.0.0.1:1/", timeout_s=10, duration_s=60)
OPEN: list[Harness] = []


@pytest.fixture(autouse=True)
async def _closed() -> AsyncIterator[None]:
    yield
    await let_all_go()
    while OPEN:
        await OPEN.pop().hub.close()


def a_harness(**parts: Any) -> Harness:
    """With room for one run."""
    OPEN.append(Harness(max_runs=1, **parts))
    return OPEN[-1]


async def begun(harness: Harness, plan: LoadPlan = PLAN) -> str:
    """A run that has sent load for a second, if it can."""
    run_id = await harness.hub.start(plan)
    await settled()
    if harness.generator.loads:
        harness.load.ready()
        harness.load.traffic(1, a=50, b=50)
    await settled()
    return run_id


async def pass_time(harness: Harness, seconds: float) -> None:
    for _ in range(int(seconds)):
        harness.clock.advance(1)
        await settled()


async def sees_another_run_through(harness: Harness) -> None:
    """Its place is free, and nothing of the failed run is in the way."""
    harness.generator.__class__ = PlayedGenerator
    run_id = await begun(harness)
    harness.load.end(2)
    await settled()
    await pass_time(harness, 6)
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED


@pytest.mark.parametrize("moment", ["start", "first", "mid"])
async def test_a_load_that_fails_is_a_failed_run_that_says_how(moment: Moment) -> None:
    harness = a_harness(generator=FaultyGenerator(moment))
    record = await harness.hub.run(await begun(harness))
    assert record.state is RunState.FAILED
    assert "RuntimeError: boom" in record.message
    await sees_another_run_through(harness)


async def test_a_load_that_breaks_off_without_an_end_is_a_failed_run() -> None:
    harness = a_harness(generator=FaultyGenerator("silent end"))
    record = await harness.hub.run(await begun(harness))
    assert record.state is RunState.FAILED
    assert "stopped without reporting" in record.message
    assert harness.load.killed
    await sees_another_run_through(harness)


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_load_that_cannot_be_asked_to_stop_is_put_down(hangs: bool) -> None:
    harness = a_harness(generator=FaultyGenerator("stop", hangs))
    run_id = await begun(harness)
    stopping = asyncio.create_task(harness.hub.stop(run_id))
    await settled()
    await pass_time(harness, 6)
    await stopping
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "could not be asked to stop" in record.message
    assert harness.load.killed
    await sees_another_run_through(harness)


@pytest.mark.parametrize("moment", ["kill", "close"])
@pytest.mark.parametrize("hangs", [False, True])
async def test_a_load_that_cannot_be_killed_or_closed_frees_its_place(moment: Moment, hangs: bool) -> None:
    harness = a_harness(generator=FaultyGenerator(moment, hangs))
    run_id = await begun(harness)
    harness.load.end(60)
    await settled()
    await pass_time(harness, 12)
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED
    await sees_another_run_through(harness)


async def test_a_load_that_never_begins_is_a_failed_run() -> None:
    harness = a_harness(generator=FaultyGenerator("start", hangs=True))
    run_id = await begun(harness)
    await pass_time(harness, 119)
    assert (await harness.hub.run(run_id)).state is RunState.STARTING
    await pass_time(harness, 10)
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not start within 120 s" in record.message
    await sees_another_run_through(harness)


async def test_a_load_that_goes_on_beyond_its_time_is_put_down() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    await pass_time(harness, 60 + 10 + 29)
    assert (await harness.hub.run(run_id)).state is RunState.RUNNING
    await pass_time(harness, 5)
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not end within 100 s of its begin" in record.message
    assert harness.load.killed


async def test_a_server_that_was_paused_reads_what_came_meanwhile_first() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    harness.clock.advance(3_600)
    harness.load.end(60)
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED


async def test_a_load_that_does_not_stop_is_put_down_by_itself() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    await harness.hub.stop(run_id)
    await pass_time(harness, 30)
    assert (await harness.hub.run(run_id)).state is RunState.STOPPING
    await pass_time(harness, 5)
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "did not end within 30 s of the stop" in record.message
    assert harness.load.killed


async def test_a_second_stop_puts_down_what_did_not_stop_in_time() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    await harness.hub.stop(run_id)
    await pass_time(harness, 12)
    with pytest.raises(RunNotActive, match="up to 10 s"):
        await harness.hub.stop(run_id)
    await pass_time(harness, 1)
    await harness.hub.stop(run_id)
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "second stop" in record.message
    assert harness.load.killed
    await sees_another_run_through(harness)


async def test_a_run_that_did_not_stop_in_time_can_be_deleted() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    await harness.hub.stop(run_id)
    with pytest.raises(RunStillActive):
        await harness.hub.delete(run_id)
    await pass_time(harness, 13)
    await harness.hub.delete(run_id)
    with pytest.raises(RunNotFound):
        await harness.hub.run(run_id)
    assert harness.load.killed
    await sees_another_run_through(harness)


async def test_a_stop_while_the_load_hangs_at_its_start_ends_the_run() -> None:
    harness = a_harness(generator=FaultyGenerator("start", hangs=True))
    run_id = await begun(harness)
    await harness.hub.stop(run_id)
    await pass_time(harness, 13)
    await harness.hub.stop(run_id)
    await settled()
    await pass_time(harness, 12)
    assert (await harness.hub.run(run_id)).state is RunState.FAILED
    await sees_another_run_through(harness)


@pytest.mark.parametrize("moment", ["first", "mid"])
async def test_pods_that_cannot_be_watched_any_more_are_said_and_the_run_goes_on(moment: Moment) -> None:
    directory = FaultyDirectory(moment)
    harness = a_harness(directory=directory)
    run_id = await begun(harness)
    directory.fails.set()
    await settled()
    harness.load.traffic(2, a=90, b=90)
    await settled()
    record = await harness.hub.run(run_id)
    assert record.last is not None
    assert "RuntimeError: boom" in record.last.pods_problem
    harness.load.end(60)
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED


@pytest.mark.parametrize("directory", [FaultyDirectory("close"), FaultyDirectory("mid", hangs=True)])
async def test_a_directory_that_cannot_be_closed_frees_the_runs_place(directory: FaultyDirectory) -> None:
    harness = a_harness(directory=directory)
    run_id = await begun(harness)
    directory.fails.set()
    await settled()
    harness.load.end(60)
    await settled()
    await pass_time(harness, 6)
    assert (await harness.hub.run(run_id)).state is RunState.FINISHED
    await sees_another_run_through(harness)


async def test_a_target_that_is_gone_fails_the_run_with_all_that_was_counted() -> None:
    directory = FaultyDirectory("mid", error=TargetGone("The demo's process ended (exit code -9)."))
    harness = a_harness(directory=directory)
    run_id = await begun(harness)
    directory.fails.set()
    await settled()
    assert harness.load.stopped
    harness.load.traffic(1.4, a=60, b=60)
    harness.load.end(1.5)
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert record.message == "The demo's process ended (exit code -9)."
    assert record.last is not None
    assert record.last.requests == 120


async def test_a_target_that_is_gone_fails_the_run_also_when_its_load_does_not_end() -> None:
    directory = FaultyDirectory("mid", error=TargetGone("The demo's process ended (exit code -9)."))
    harness = a_harness(directory=directory)
    run_id = await begun(harness)
    directory.fails.set()
    await settled()
    await pass_time(harness, 8)
    record = await harness.hub.run(run_id)
    assert (record.state, record.message) == (RunState.FAILED, "The demo's process ended (exit code -9).")
    assert harness.load.killed


@pytest.mark.parametrize("moment", ["first", "mid"])
async def test_a_source_that_fails_is_said_and_costs_no_run(moment: Moment) -> None:
    counter = FaultyCounter(Source.PROMETHEUS, moment)
    harness = a_harness(counters={Source.PROMETHEUS: counter})
    run_id = await begun(harness)
    counter.fails.set()
    await settled()
    harness.load.play(TrafficSample(2, 5, 200, unnamed=PodCount(200)))
    harness.load.end(60)
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last is not None
    assert any("RuntimeError: boom" in standing.problem for standing in record.last.counting.considered)


async def test_a_source_that_was_asked_for_and_fails_at_once_sends_no_load() -> None:
    harness = a_harness(counters={Source.PROMETHEUS: FaultyCounter(Source.PROMETHEUS, "first")})
    run_id = await begun(harness, LoadPlan(target_url="http://127.0.0.1:1/", counting="prometheus"))
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "RuntimeError: boom" in record.message
    assert not harness.generator.loads
    await sees_another_run_through(harness)


async def test_a_source_that_cannot_be_closed_frees_the_runs_place() -> None:
    harness = a_harness(counters={Source.PROMETHEUS: FaultyCounter(Source.PROMETHEUS, "close")})
    run_id = await begun(harness)
    harness.load.end(0)
    await settled()
    await pass_time(harness, 12)
    assert not (await harness.hub.run(run_id)).state.active
    await sees_another_run_through(harness)


async def test_figures_that_cannot_be_made_end_the_run_with_a_sentence() -> None:
    harness = a_harness()
    run_id = await begun(harness)
    harness.load.play(TrafficSample(2, 5, None))  # type: ignore[arg-type]
    await pass_time(harness, 1)
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert "error inside Scale" in record.message
    assert harness.load.killed
    ends = [event for event in await harness.store.events(run_id) if isinstance(event, StateChanged)]
    assert ends[-1].state is RunState.FAILED
    assert (await harness.store.run(run_id)).state is RunState.FAILED
    await sees_another_run_through(harness)


async def test_a_second_stop_ends_the_wait_for_a_slow_sources_last_reading() -> None:
    counter = PlayedCounter(Source.PROMETHEUS)
    harness = a_harness(counters={Source.PROMETHEUS: counter})
    counter.readings.put_nowait(CountsSample(-1, Source.PROMETHEUS, {"a": 0}, took_s=60))
    run_id = await begun(harness)
    await harness.hub.stop(run_id)
    harness.load.end(2)
    await pass_time(harness, 13)
    assert (await harness.hub.run(run_id)).state is RunState.STOPPING
    await harness.hub.stop(run_id)
    await settled()
    record = await harness.hub.run(run_id)
    assert (record.state, record.message) == (RunState.STOPPED, "")
