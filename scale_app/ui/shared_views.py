"""One view for all tabs that look at the same second of the same run: the pictures are drawn once, not per viewer."""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.domain.events import Event
from scale_app.domain.run import RunRecord
from scale_app.domain.snapshot import Point
from scale_app.views.presenting import run_view
from scale_app.views.view import RunView

KEPT = 16
_Key = tuple[str, int, int, str, int, int]
_views: dict[_Key, tuple[RunRecord, RunView]] = {}


def view_of(record: RunRecord, points: Sequence[Point], happened: Sequence[Event]) -> RunView:
    """The view of a run, from memory when another tab has just asked for the same."""
    seq = record.last.seq if record.last else -1
    key = (record.run_id, seq, len(points), record.state.value, len(happened), record.plan.users)
    kept = _views.get(key)
    if kept is not None and kept[0] == record:
        return kept[1]
    view = run_view(record, points, happened)
    _views[key] = (record, view)
    while len(_views) > KEPT:
        del _views[next(iter(_views))]
    return view
