"""One view for all tabs that look at the same second of the same run: the pictures are drawn once, not per viewer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, TypeVar, cast

import reflex as rx
from reflex.state import _override_base_method  # without it Reflex takes a method of this name for a mistake

from scale_app.domain.events import Event
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Point
from scale_app.views.pod_table import Column, PodTable, pod_table
from scale_app.views.presenting import run_view
from scale_app.views.view import OFFLINE, RunView

T = TypeVar("T")
KEPT = 32
_kept: OrderedDict[Hashable, tuple[object, object]] = OrderedDict()


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest that any tab was told of a run. order: seq of its snapshot, number of its events."""

    order: tuple[int, int]
    record: RunRecord
    view: RunView


_newest: OrderedDict[str, Newest] = OrderedDict()


def newest_of(run_id: str) -> Newest | None:
    """None when nobody has looked at the run lately."""
    return _newest.get(run_id)


def _note(told: Newest) -> None:
    run_id = told.record.run_id
    known = _newest.get(run_id)
    if known is None or told.order >= known.order:
        _newest[run_id] = told
    _newest.move_to_end(run_id)
    while len(_newest) > KEPT:
        _newest.popitem(last=False)


class Renewed:
    """A part of a tab's state that is brought up to date before the browser is given all of it.

    That is when a page is opened, reloaded or connected again. What is told to all tabs at once (ui/audience.py) passes
    a tab's own state by, which would be older than what its browser showed before.
    """

    def _renew(self) -> None:
        """Take what is newest. Each state's own."""
        raise NotImplementedError

    @_override_base_method
    def dict(self, *args: Any, **more: Any) -> Any:
        """As Reflex asks for it when it sends all of a state."""
        self._renew()
        return super().dict(*args, **more)  # type: ignore[misc]


def view_of(record: RunRecord, points: Sequence[Point], happened: Sequence[Event], pods: PodHistory) -> RunView:
    """The view of a run, from memory when another tab has just asked for the same."""
    seq = record.last.seq if record.last else -1
    key = ("view", record.run_id, seq, len(points), record.state.value, len(happened), record.plan.users)
    view = _once(key, record, lambda: run_view(record, points, happened, pods.times()))
    _note(Newest((seq, len(happened)), record, view))
    return view


def table_of(record: RunRecord | None, by: Column, falling: bool) -> PodTable:
    """The table of a run's pods, likewise."""
    last = record.last if record else None
    if last is None:
        return PodTable()
    return _once(("table", last.run_id, last.seq, by, falling), last, lambda: pod_table(last.pods, by, falling))


def rows_of(table: PodTable) -> list[list[str]]:
    """What the page's socket sends of a table: one list for all tabs, which nobody changes."""
    return _once(("rows", id(table)), table, table.plain)


@rx.serializer
def plain_view(view: RunView) -> dict[str, Any]:
    """What the page's socket sends of a view; made once, however many tabs it is sent to."""
    return _once(("plain", id(view)), view, lambda: cast(dict[str, Any], _plain(view)))


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value) if OFFLINE not in each.metadata}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _once(key: Hashable, of: object, make: Callable[[], T]) -> T:
    """What was made for this key and this very object, or one equal to it; else make it and keep it a while."""
    found = _kept.get(key)
    if found is not None and (found[0] is of or found[0] == of):
        return cast(T, found[1])
    made = make()
    _kept[key] = (of, made)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return made
