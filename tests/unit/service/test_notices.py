"""Receivers outside hear of alerts: in order, not too often, after retries, and never at a run's cost."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import replace

import pytest

from scale_app.adapters.in_process import LocalLeases
from scale_app.domain.alert import Alert
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated, Event, SnapshotTaken, StateChanged
from scale_app.domain.notice import Notice
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Adapters
from scale_app.service.access import Access
from scale_app.service.hub import Hub
from scale_app.service.notices import MINUTE_S, MOST_PER_MINUTE, SEND_LIMIT_S, Notices, Outbox, Receiver
from tests.fakes import FakeClock, FakeNotifier, FakeStore, a_snapshot
from tests.fakes_access import FakeAccessStore
from tests.fakes_hub import FakeDemo, FakeHub
from tests.fakes_load import OpenGate, PlayedDirectory, PlayedGenerator

ALERT = Alert("verdict", 0.4, 0.95, "Uneven.", 3.0, 0.4)

SECRET = "s3cr3t-t0ken"


def notices(count: int) -> list[Notice]:
    return [Notice(f"title {n}", f"body {n}") for n in range(count)]


async def settled() -> None:
    for _ in range(50):
        await asyncio.sleep(0)


class Sleeps:
    """Instead of waiting: notes how long, lets time pass."""

    def __init__(self, clock: FakeClock) -> None:
        self.slept_s: list[float] = []
        self._clock = clock

    async def __call__(self, seconds: float) -> None:
        self.slept_s.append(seconds)
        self._clock.advance(seconds)
        await asyncio.sleep(0)


class Harness:
    """Receivers that watch a fake hub with one active run."""

    def __init__(self, *notifiers: FakeNotifier, hub: FakeHub | None = None) -> None:
        self.hub, self.clock = hub or FakeHub(), FakeClock()
        self.sleeps = Sleeps(self.clock)
        self.hub.add(RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0))
        receivers = tuple(Receiver(notifier, self.clock, self.sleeps) for notifier in notifiers)
        self.notices = Notices(self.hub, receivers, "https://scale.example", self.sleeps)

    async def raised(self) -> None:
        """An alert, and the time to deliver it."""
        self.hub.publish("run-1", AlertRaised(3.0, ALERT))
        await settled()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.notices.tell())
        await settled()
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def test_a_few_messages_go_out_at_once_and_in_order() -> None:
    outbox = Outbox()
    for notice in notices(MOST_PER_MINUTE):
        outbox.put("run-1", notice)
    assert outbox.due(0.0) == notices(MOST_PER_MINUTE)
    assert outbox.due(0.0) == []
    assert outbox.next_s() is None


def test_a_burst_is_summed_up_in_the_last_message_that_is_allowed() -> None:
    outbox = Outbox()
    for notice in notices(20):
        outbox.put("run-1", notice)
    due = outbox.due(0.0)
    assert len(due) == MOST_PER_MINUTE
    assert due[-1].title == f"title 19 (and {20 - MOST_PER_MINUTE} more)"


def test_no_minute_has_more_than_its_messages_and_nothing_is_lost() -> None:
    outbox, sent = Outbox(), []
    for second in range(600):
        outbox.put("run-1", Notice(f"{second}", f"body {second}"))
        sent += [(second, notice) for notice in outbox.due(float(second))]
    times = [second for second, _ in sent]
    for start in range(600):
        assert sum(start <= second < start + MINUTE_S for second in times) <= MOST_PER_MINUTE
    assert "body 59" in sent[MOST_PER_MINUTE][1].body
    assert outbox.next_s() is not None


def test_each_run_has_its_own_allowance() -> None:
    outbox = Outbox()
    for run in range(3):
        for notice in notices(MOST_PER_MINUTE):
            outbox.put(f"run-{run}", notice)
    assert len(outbox.due(0.0)) == 3 * MOST_PER_MINUTE


def test_runs_of_long_ago_are_forgotten() -> None:
    outbox = Outbox()
    for run in range(100):
        outbox.put(f"run-{run}", Notice("t", "b"))
        outbox.due(run * 100.0)
    assert len(outbox._sent_at_s) == 1


async def test_alerts_are_delivered_and_nothing_else() -> None:
    notifier = FakeNotifier()
    harness = Harness(notifier)
    async with harness.open():
        for event in (
            SnapshotTaken(1.0, a_snapshot()),
            AlertRaised(3.0, ALERT),
            AlertUpdated(15.0, ALERT),
            AlertCleared(30.0, ALERT),
        ):
            harness.hub.publish("run-1", event)
            await settled()
    assert [notice.title for notice in notifier.sent] == [
        "Scale: alert on demo",
        "Scale: alert, new figures on demo",
        "Scale: cleared on demo",
    ]
    assert "https://scale.example/runs/run-1" in notifier.sent[0].body


@pytest.mark.parametrize(("alerts", "told"), [((), []), ((ALERT,), ["Scale: run stopped with 1 alert on, demo"])])
async def test_the_end_of_a_run_is_told_only_when_an_alert_is_on(alerts: tuple[Alert, ...], told: list[str]) -> None:
    notifier = FakeNotifier()
    harness = Harness(notifier)
    async with harness.open():
        harness.hub.publish("run-1", SnapshotTaken(60.0, replace(a_snapshot(), alerts=alerts)))
        harness.hub.publish("run-1", StateChanged(61.0, RunState.STOPPING, ""))
        harness.hub.publish("run-1", StateChanged(62.0, RunState.STOPPED, ""))
        await settled()
    assert [notice.title for notice in notifier.sent] == told


async def test_a_failed_delivery_is_tried_three_times_with_growing_waits() -> None:
    notifier = FakeNotifier()
    notifier.broken = 2
    harness = Harness(notifier)
    async with harness.open():
        harness.hub.publish("run-1", AlertRaised(3.0, ALERT))
        await settled()
    assert (notifier.tries, len(notifier.sent), harness.sleeps.slept_s) == (3, 1, [1.0, 4.0])
    assert harness.notices.problem == ""


async def test_lost_messages_are_logged_once_shown_until_one_arrives_and_hold_up_no_other_receiver(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken, sound = FakeNotifier("broken"), FakeNotifier("sound")
    broken.broken = 9
    harness = Harness(broken, sound)
    with caplog.at_level(logging.ERROR):
        async with harness.open():
            for _ in range(3):
                harness.hub.publish("run-1", AlertRaised(3.0, ALERT))
                await settled()
            assert (len(broken.sent), len(sound.sent)) == (0, 3)
            assert harness.notices.problem.startswith("Sending 'Scale: alert on demo' by broken failed")
            harness.hub.publish("run-1", AlertCleared(9.0, ALERT))
            await settled()
    assert len(caplog.records) == 1
    assert len(broken.sent) == 1
    assert harness.notices.problem == ""


async def test_messages_that_had_to_wait_go_out_when_the_minute_is_over() -> None:
    notifier = FakeNotifier()
    harness = Harness(notifier)
    async with harness.open():
        for number in range(MOST_PER_MINUTE + 3):
            harness.hub.publish("run-1", AlertUpdated(float(number), ALERT))
            await settled()
    assert len(notifier.sent) >= MOST_PER_MINUTE + 1
    assert harness.sleeps.slept_s[0] == MINUTE_S


async def test_a_receiver_that_hangs_costs_a_run_nothing() -> None:
    notifier, generator = FakeNotifier(), PlayedGenerator()
    notifier.gate.clear()
    adapters = Adapters(
        OpenGate(),
        {Source.HEADER: generator},
        {Source.HEADER: PlayedDirectory("a", "b")},
        FakeStore(),
        FakeDemo(),
        FakeClock(),
        LocalLeases(FakeClock()),
        notifiers=(notifier,),
    )
    hub = Hub(adapters, Access(FakeAccessStore(), adapters.clock, lambda _: None), Limits(), 2)
    await hub.open()
    try:
        run_id = await hub.start(LoadPlan())
        await settled()
        load = generator.loads[-1]
        load.ready()
        for second in range(1, 6):
            load.traffic(second, a=second * 500, b=second * 100)
        load.end(6)
        await settled()
        assert (await hub.run(run_id)).state is RunState.FINISHED
        assert notifier.tries == 1
        assert hub.notify_problem == ""
    finally:
        await hub.close()


@pytest.mark.parametrize("error", [RuntimeError(SECRET), SystemExit(1), asyncio.CancelledError()], ids=repr)
async def test_whatever_a_receiver_raises_is_its_problem_alone_and_the_next_message_is_tried(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    odd, sound = FakeNotifier("odd", error), FakeNotifier("sound")
    odd.broken = 3
    harness = Harness(odd, sound)
    async with harness.open():
        await harness.raised()
        assert (odd.tries, len(sound.sent)) == (3, 1)
        assert "'Scale: alert on demo' by odd failed" in harness.notices.problem
        assert type(error).__name__ in harness.notices.problem
        await harness.raised()
    assert (len(odd.sent), len(sound.sent), harness.notices.problem) == (1, 2, "")
    assert SECRET not in caplog.text


async def test_a_receiver_that_hangs_is_given_up_in_time_and_holds_up_no_other() -> None:
    hanging, sound = FakeNotifier("hanging"), FakeNotifier("sound")
    hanging.gate.clear()
    harness = Harness(hanging, sound)
    async with harness.open():
        await harness.raised()
        assert (hanging.tries, len(sound.sent), harness.notices.problem) == (1, 1, "")
        for _ in range(3):
            harness.clock.advance(SEND_LIMIT_S)
            await settled()
        assert hanging.tries == 3
        assert f"hanging did not end within {SEND_LIMIT_S:g} s" in harness.notices.problem
        hanging.gate.set()
        await harness.raised()
    assert (len(hanging.sent), len(sound.sent), harness.notices.problem) == (1, 2, "")


async def test_a_receiver_whose_name_cannot_be_asked_for_is_told_of_all_the_same() -> None:
    nameless, sound = FakeNotifier(nameless=True, error=RuntimeError("boom")), FakeNotifier("sound")
    nameless.broken = 3
    harness = Harness(nameless, sound)
    async with harness.open():
        await harness.raised()
        assert "receiver 1" in harness.notices.problem
        await harness.raised()
    assert (len(nameless.sent), len(sound.sent), harness.notices.problem) == (1, 2, "")


class OddHub(FakeHub):
    """Raises what is in `subscribing`, then in `looking`, one each time."""

    def __init__(self) -> None:
        super().__init__()
        self.subscribing: list[Exception] = []
        self.looking: list[Exception] = []

    def subscribe(self, run_id: str | None = None) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Event]]]:
        if self.subscribing:
            raise self.subscribing.pop()
        return super().subscribe(run_id)

    async def run(self, run_id: str) -> RunRecord:
        if self.looking:
            raise self.looking.pop()
        return await super().run(run_id)


async def test_alerts_are_told_on_when_runs_could_not_be_watched_or_looked_up(caplog: pytest.LogCaptureFixture) -> None:
    notifier, hub = FakeNotifier(), OddHub()
    hub.subscribing = [RuntimeError("boom")]
    harness = Harness(notifier, hub=hub)
    async with harness.open():
        await harness.raised()
        assert len(notifier.sent) == 1
        hub.looking = [RuntimeError("boom")]
        await harness.raised()
        assert (len(notifier.sent), "alert_raised" in harness.notices.problem) == (1, True)
        await harness.raised()
    assert (len(notifier.sent), harness.notices.problem) == (2, "")
    assert "boom" in caplog.text


async def test_receivers_are_let_go_when_telling_ends() -> None:
    hanging = FakeNotifier("hanging")
    hanging.gate.clear()
    before = asyncio.all_tasks()
    harness = Harness(hanging)
    async with harness.open():
        await harness.raised()
    await settled()
    assert asyncio.all_tasks() == before
