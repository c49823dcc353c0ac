"""Lines that wait: packed small, numbered for ever, thinned or cut when there is no room."""

from __future__ import annotations

from itertools import pairwise

from scale_app.domain.events import Event, SnapshotTaken, StateChanged
from scale_app.domain.snapshot import RunState
from scale_app.service.backlog import BATCH_LINES, PLAIN_LINES, Backlog, follow_on
from tests.fakes import a_snapshot


def snapshots(count: int, pods: int = 2) -> list[Event]:
    return [SnapshotTaken(float(n), a_snapshot(seq=n, requests=range(1, pods + 1))) for n in range(count)]


def of_snapshots() -> Backlog[Event]:
    return Backlog[Event](spare=lambda event: isinstance(event, SnapshotTaken))


def filled(lines: list[Event]) -> Backlog[Event]:
    backlog = of_snapshots()
    backlog.put(lines, 5.0)
    while (waiting := backlog.to_pack()) is not None:
        backlog.put_back(waiting.packed())
    return backlog


def numbers(backlog: Backlog[Event]) -> list[int]:
    return [waiting.seq for waiting in backlog.lines()]


def test_lines_come_out_as_they_were_put_in_packed_or_not() -> None:
    backlog = filled(events := snapshots(3 * PLAIN_LINES))
    assert backlog.size_bytes > 0
    assert [waiting.unpacked() for waiting in backlog.first(100)] == events
    assert {waiting.at_epoch_s for waiting in backlog.first()} == {5.0}


def test_a_store_that_is_prompt_costs_no_packing() -> None:
    backlog = of_snapshots()
    for event in snapshots(3 * PLAIN_LINES):
        backlog.put([event], 1.0)
        assert backlog.to_pack() is None
        backlog.take_out(backlog.first()[-1].seq)
    assert (len(backlog), backlog.size_bytes, numbers(backlog)) == (0, 0, [])


def test_a_second_of_a_thousand_pods_waits_in_few_bytes() -> None:
    backlog = filled(snapshots(PLAIN_LINES + 10, pods=1_000))
    assert 0 < backlog.size_bytes / 10 < 60_000


def test_numbers_go_on_whatever_was_taken_out_or_given_up() -> None:
    backlog = of_snapshots()
    backlog.put(snapshots(BATCH_LINES + 9), 1.0)
    backlog.take_out(4)
    thinned = backlog.thin()
    backlog.put(snapshots(1), 2.0)
    assert backlog.lines()[-1].seq == BATCH_LINES + 9
    assert (thinned, backlog.given_up) == (2, 2)


def test_what_is_thinned_is_spread_and_never_what_happened_or_the_newest() -> None:
    backlog = of_snapshots()
    backlog.put([*snapshots(BATCH_LINES), *snapshots(8), StateChanged(9.0, RunState.FINISHED), *snapshots(1)], 1.0)
    backlog.thin()
    assert [n - BATCH_LINES for n in numbers(backlog) if n >= BATCH_LINES] == [0, 2, 4, 6, 8, 9]
    backlog.thin()
    assert [n - BATCH_LINES for n in numbers(backlog) if n >= BATCH_LINES] == [0, 4, 8, 9]
    for _ in range(9):
        backlog.thin()
    assert [n - BATCH_LINES for n in numbers(backlog) if n >= BATCH_LINES] == [8, 9]
    assert len(backlog) == BATCH_LINES + 2


def test_lines_that_are_thinned_again_and_again_stay_spread_evenly() -> None:
    backlog = of_snapshots()
    for event in snapshots(2_000):
        backlog.put([event], 1.0)
        if len(backlog) > BATCH_LINES + 100:
            backlog.thin()
    later = [n for n in numbers(backlog) if n >= BATCH_LINES]
    steps = [second - first for first, second in pairwise(later)]
    assert max(steps) <= 32
    assert len(later) > 50


def test_a_batch_ends_where_a_line_is_missing() -> None:
    backlog = of_snapshots()
    backlog.put(snapshots(BATCH_LINES + 4), 1.0)
    backlog.thin()
    backlog.take_out(BATCH_LINES - 2)
    assert [waiting.seq for waiting in backlog.first()] == [BATCH_LINES - 1, BATCH_LINES]


def test_what_is_cut_keeps_its_beginning_and_takes_no_more() -> None:
    backlog = of_snapshots()
    backlog.put(snapshots(2 * BATCH_LINES + 6), 1.0)
    assert backlog.cut() == BATCH_LINES + 3
    backlog.put(snapshots(2), 2.0)
    assert numbers(backlog) == list(range(BATCH_LINES + 3))
    assert backlog.given_up == BATCH_LINES + 5


def test_what_cannot_be_written_down_waits_as_it_is() -> None:
    odd = StateChanged(1.0, RunState.FAILED, "\ud800")
    backlog = filled([*snapshots(PLAIN_LINES), odd])
    assert backlog.to_pack() is None
    assert backlog.lines()[-1].unpacked() is odd


def test_what_was_stored_while_it_was_packed_does_not_come_back() -> None:
    backlog = of_snapshots()
    backlog.put(snapshots(PLAIN_LINES + 2), 1.0)
    waiting = backlog.to_pack()
    assert waiting is not None
    backlog.take_out(waiting.seq)
    backlog.put_back(waiting.packed())
    assert (numbers(backlog), backlog.size_bytes) == ([waiting.seq + 1], 0)


def test_waiting_lines_follow_on_from_the_stored_ones() -> None:
    backlog, events = of_snapshots(), snapshots(6)
    backlog.put(events, 1.0)
    backlog.take_out(1)
    assert follow_on(backlog.lines(), 4) == events[4:]
    assert follow_on(backlog.lines(), 2) == events[2:]
    assert follow_on(backlog.lines(), 0) == []
