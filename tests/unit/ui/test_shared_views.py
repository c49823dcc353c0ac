"""One view for all tabs."""

from scale_app.ui.shared_views import KEPT, _views, view_of
from tests.unit.ui.samples import record, snapshot


def test_two_tabs_share_a_view():
    shown = record(snapshot())
    assert view_of(shown, [], []) is view_of(shown, [], [])


def test_another_second_is_another_view():
    assert view_of(record(snapshot(seq=1)), [], []) is not view_of(record(snapshot(seq=2)), [], [])


def test_a_message_that_changed_is_not_lost():
    first = view_of(record(snapshot()), [], [])
    assert view_of(record(snapshot(), message="It broke."), [], []).message != first.message


def test_memory_is_bounded():
    for seq in range(3 * KEPT):
        view_of(record(snapshot(seq=seq)), [], [])
    assert len(_views) <= KEPT
