"""A run's own clock: one tick a second, whoever speaks or is silent."""

from __future__ import annotations

import pytest

from scale_app.domain.events import AlertRaised, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Began, replayed
from scale_app.domain.samples import Tick
from scale_app.service.live_run import AFTER_READINGS_S
from tests.fakes_load import traffic
from tests.unit.service.harness import Harness, settled


async def seconds(harness: Harness, run_id: str) -> list[float]:
    return [event.elapsed_s for event in await harness.store.events(run_id) if isinstance(event, SnapshotTaken)]


async def pass_to(harness: Harness, at_s: float) -> None:
    harness.clock.advance(at_s - harness.clock.monotonic_s())
    await settled()


async def test_every_second_is_shown_once_whether_there_was_a_sample_or_not(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.play(traffic(0.4, a=5), traffic(0.9, a=9))
    for second in (1, 2, 3):
        await pass_to(harness, second + AFTER_READINGS_S)
    harness.load.play(traffic(3.6, a=20))
    await pass_to(harness, 4 + AFTER_READINGS_S)
    assert await seconds(harness, run_id) == [1, 2, 3, 4]
    assert [event.snapshot.requests for event in await harness.store.events(run_id) if hasattr(event, "snapshot")] == [
        9,
        9,
        9,
        20,
    ]


async def test_a_sample_by_itself_shows_nothing(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.play(traffic(0.5, a=5))
    await settled()
    assert await seconds(harness, run_id) == []


async def test_there_is_no_second_before_the_load_begins(harness: Harness) -> None:
    run_id = await harness.hub.start(LoadPlan())
    for second in range(1, 6):
        await pass_to(harness, second)
    assert await seconds(harness, run_id) == []
    harness.load.ready(5.0)
    await settled()
    await pass_to(harness, 6 + AFTER_READINGS_S)
    assert await seconds(harness, run_id) == [1]


async def test_after_a_pause_of_the_server_its_seconds_are_not_made_up_for(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.play(traffic(1, a=5))
    await pass_to(harness, 1 + AFTER_READINGS_S)
    await pass_to(harness, 13.5)
    harness.load.play(*(traffic(second, a=5 * second) for second in range(2, 14)))
    await settled()
    await pass_to(harness, 14 + AFTER_READINGS_S)
    assert await seconds(harness, run_id) == [1, 13, 14]


async def test_silence_is_no_second_piece_of_evidence(harness: Harness) -> None:
    """The score must be low twice in a row; one low one that is looked at for ten seconds is one."""
    run_id = await harness.started(LoadPlan(alert_rule="score"))
    harness.load.play(traffic(1, a=900, b=100))
    for second in range(1, 11):
        await pass_to(harness, second + AFTER_READINGS_S)
    assert [event for event in await harness.store.events(run_id) if isinstance(event, AlertRaised)] == []
    harness.load.play(traffic(11, a=9_000, b=1_000))
    await pass_to(harness, 11 + AFTER_READINGS_S)
    assert [event for event in await harness.store.events(run_id) if isinstance(event, AlertRaised)] != []


async def test_what_came_after_the_last_tick_is_in_the_last_snapshot_and_may_alert(harness: Harness) -> None:
    run_id = await harness.started(LoadPlan(alert_rule="score"))
    harness.load.play(traffic(1, a=900, b=100))
    await pass_to(harness, 1 + AFTER_READINGS_S)
    harness.load.play(traffic(1.6, a=1_800, b=200))
    harness.load.end(1.7)
    await settled()
    *_, last = await harness.store.events(run_id)
    assert isinstance(last, SnapshotTaken)
    assert (last.snapshot.requests, last.elapsed_s) == (2_000, 1.7)
    assert last.snapshot.alert is not None


async def test_the_recording_holds_the_ticks_and_gives_the_same_again(harness: Harness) -> None:
    run_id = await harness.started()
    harness.load.play(traffic(0.4, a=50), traffic(0.9, a=90, b=60))
    for second in (1, 2, 3):
        await pass_to(harness, second + AFTER_READINGS_S)
    harness.load.play(traffic(3.3, a=200, b=150))
    harness.load.end(3.4)
    await settled()
    whole = await harness.hub.whole(run_id, recording=True)
    began = whole.recording[0]
    assert isinstance(began, Began)
    assert began.ticks
    assert [line.at_s for line in whole.recording if isinstance(line, Tick)] == [1, 2, 3]
    assert replayed(whole) == whole


@pytest.mark.parametrize("said", [2, 7])
async def test_a_hub_that_is_late_to_hear_of_the_begin_goes_on_with_the_present_second(
    harness: Harness, said: int
) -> None:
    run_id = await harness.hub.start(LoadPlan())
    await settled()
    await pass_to(harness, said + AFTER_READINGS_S)
    harness.load.ready(0.0)
    await settled()
    await pass_to(harness, said + 1 + AFTER_READINGS_S)
    assert await seconds(harness, run_id) == [said, said + 1]
