"""Sources beside a run's load: opened before it, followed through it, read once more after it, let go with it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import LoadEnded, PodCount, TrafficSample
from scale_app.domain.snapshot import RunState, Source
from tests.fakes_counting import PlayedCounter
from tests.unit.service.harness import Harness, settled

PLAN = LoadPlan(target_url="http://127.0.0.1:1/", requests_per_connection=1)


@pytest.fixture
def counter() -> PlayedCounter:
    return PlayedCounter(Source.PROMETHEUS)


@pytest.fixture
async def harness(counter: PlayedCounter) -> AsyncIterator[Harness]:
    built = Harness(counters={Source.PROMETHEUS: counter})
    yield built
    await built.hub.close()


def _unnamed(at_s: float, requests: int) -> TrafficSample:
    return TrafficSample(at_s, 5, requests, unnamed=PodCount(requests))


async def test_no_request_is_sent_before_the_first_reading(harness: Harness, counter: PlayedCounter) -> None:
    await harness.hub.start(PLAN)
    await counter.opened.wait()
    await settled()
    assert not harness.generator.loads
    counter.read(-1, a=0, b=0)
    await settled()
    assert harness.generator.loads


async def test_answers_that_name_no_pod_are_counted_by_the_source_up_to_the_last(
    harness: Harness, counter: PlayedCounter
) -> None:
    counter.read(-1, a=500, b=0)
    run_id = await harness.hub.start(PLAN)
    await settled()
    harness.load.ready(0)
    harness.load.play(_unnamed(1, 100))
    counter.read(0.5, a=525, b=25)
    await settled()
    harness.load.play(_unnamed(2, 200), LoadEnded(2))
    await settled()
    assert (await harness.hub.run(run_id)).state is RunState.RUNNING
    counter.read(2.1, a=600, b=100)
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last is not None
    assert {row.name: row.requests for row in record.last.pods} == {"a": 100, "b": 100}
    assert (record.source, record.last.unattributed) == (Source.PROMETHEUS, 0)
    assert record.last.counting.now.coverage == 1
    assert counter.closed.is_set()


async def test_a_source_knows_how_much_was_sent(harness: Harness, counter: PlayedCounter) -> None:
    counter.read(-1, a=0)
    await harness.hub.start(PLAN)
    await settled()
    harness.load.ready(0)
    harness.load.play(_unnamed(1, 123))
    await settled()
    assert counter.sent() == 123


async def test_a_source_is_let_go_once_the_answers_name_their_pods(counter: PlayedCounter) -> None:
    log = PlayedCounter(Source.ACCESS_LOG)
    harness = Harness(counters={Source.PROMETHEUS: counter, Source.ACCESS_LOG: log})
    counter.read(-1, a=0, b=0)
    log.read(-1, a=0, b=0)
    await harness.hub.start(PLAN)
    await settled()
    harness.load.ready(0)
    harness.load.traffic(1, a=100, b=100)
    await settled()
    assert not log.closed.is_set()
    harness.load.traffic(2, a=1_000, b=1_000)
    await settled()
    assert log.closed.is_set()
    assert not counter.closed.is_set()
    await harness.hub.close()


async def test_a_source_that_is_lost_is_said_in_the_snapshot_and_costs_no_run(
    harness: Harness, counter: PlayedCounter
) -> None:
    counter.read(-1, a=0)
    run_id = await harness.hub.start(PLAN)
    await settled()
    harness.load.ready(0)
    counter.lose("The right to read it was taken away. Grant it.")
    await settled()
    harness.load.play(_unnamed(1, 10), LoadEnded(2))
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FINISHED
    assert record.last is not None
    problems = [standing.problem for standing in record.last.counting.considered]
    assert "The right to read it was taken away. Grant it." in problems


@pytest.mark.parametrize("named", ["prometheus", "access_log"])
async def test_a_run_that_cannot_be_counted_as_asked_ends_with_the_reason_and_sends_nothing(named: str) -> None:
    harness = Harness(counters={Source.PROMETHEUS: PlayedCounter(Source.PROMETHEUS, "It may not be read. Grant it.")})
    run_id = await harness.hub.start(LoadPlan(target_url="http://127.0.0.1:1/", counting=named))  # type: ignore[arg-type]
    await settled()
    record = await harness.hub.run(run_id)
    assert record.state is RunState.FAILED
    assert ("It may not be read" if named == "prometheus" else "access log") in record.message
    assert not harness.generator.loads
    await harness.hub.close()


async def test_nothing_is_read_any_more_when_the_hub_closes(harness: Harness, counter: PlayedCounter) -> None:
    counter.read(-1, a=0)
    await harness.hub.start(PLAN)
    await settled()
    assert not counter.closed.is_set()
    await asyncio.wait_for(harness.hub.close(), 5)
    assert counter.closed.is_set()
