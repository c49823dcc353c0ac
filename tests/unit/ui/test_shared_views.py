"""One view for all tabs."""

import dataclasses
import json

from scale_app.domain.pod_history import PodHistory
from scale_app.domain.snapshot import RunState
from scale_app.ui.shown.viewers import KEPT, Renewed, _kept, newest_of, plain_view, table_of, view_of
from tests.unit.ui.samples import record, snapshot

PODS = PodHistory()


def view(shown):
    return view_of(shown, [], [], PODS)


def test_two_tabs_share_a_view():
    shown = record(snapshot())
    assert view(shown) is view(shown)


def test_two_tabs_share_a_table_in_one_order():
    shown = record(snapshot(300, 100, 90))
    assert table_of(shown, "share", True) is table_of(shown, "share", True)
    assert table_of(shown, "share", True).rows == table_of(shown, "share", False).rows[::-1]


def test_another_second_is_another_view():
    assert view(record(snapshot(seq=1))) is not view(record(snapshot(seq=2)))


def test_a_message_that_changed_is_not_lost():
    first = view(record(snapshot()))
    assert view(record(snapshot(), message="It broke.")).message != first.message


def test_what_is_sent_is_the_whole_view_made_once():
    shown = view(record(snapshot()))
    whole = dataclasses.asdict(shown)
    assert len(whole.pop("pods")) == 3
    assert whole.pop("pods_note") == "3 ready of 3"
    assert plain_view(shown) == whole
    assert plain_view(shown) is plain_view(shown)
    json.dumps(plain_view(shown), allow_nan=False)


def told(seq, run_id="told"):
    return record(snapshot(seq=seq, run_id=run_id), RunState.RUNNING, run_id)


def test_the_newest_that_any_tab_was_told_is_known_though_a_slower_tab_asks_later():
    newest = view(told(5))
    view(told(4))
    assert newest_of("told").view is newest
    assert newest_of("told").record.last.seq == 5
    assert newest_of("nobody has looked at this one") is None


def test_the_newest_is_kept_of_so_many_runs_only():
    for number in range(2 * KEPT):
        view(told(1, f"many-{number}"))
    assert [newest_of(f"many-{number}") is None for number in (0, 2 * KEPT - 1)] == [True, False]


def test_all_of_a_state_is_asked_for_only_once_it_was_brought_up_to_date():
    class Shown:
        at_s = 0

        def dict(self, more):
            return {"at_s": self.at_s, "more": more}

    class Tab(Renewed, Shown):
        def _renew(self):
            self.at_s = 7

    assert Tab().dict(more=True) == {"at_s": 7, "more": True}


def test_memory_is_bounded():
    for seq in range(3 * KEPT):
        view(record(snapshot(seq=seq)))
    assert len(_kept) <= KEPT
