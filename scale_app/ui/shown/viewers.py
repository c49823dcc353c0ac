"""One view and one message for all tabs that look at the same run, made once however many they are.

Reflex keeps a state for each tab, finds what changed in it and encodes that, tab by tab. Of a running test only the
figures change from second to second, and they are the same for everybody: those go to a group of the page's own socket.
What concerns one tab alone - its first look, a change of the run's state, its toasts - still goes through its state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Protocol, TypeVar, cast

import reflex as rx

from scale_app.domain.events import Event
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Point
from scale_app.ui.reflex_compat import UPDATE_EVENT, replaces_a_base_method, state_update
from scale_app.views.pod_table import PodTableView, pod_table
from scale_app.views.presenting import run_view
from scale_app.views.view import OFFLINE, RunView

Changes = dict[type, dict[str, Any]]
"""New values by state class and by the name of the variable."""


@dataclass(frozen=True, slots=True)
class Viewed:
    """What a tab looks at: a run, its pods sorted by a column."""

    run_id: str
    by: str
    descending: bool

    @property
    def room(self) -> str:
        return f"{self.run_id} {self.by} {self.descending}"


class Socket(Protocol):
    """What is used of the page's socket: rooms of sessions, and a message to all in a room."""

    async def enter_room(self, sid: str, room: str) -> None: ...

    async def leave_room(self, sid: str, room: str) -> None: ...

    async def emit(self, event: str, data: Any, *, room: str) -> None: ...


class Viewers:
    """Who looks at what, by the session of a tab's socket. A tab is followed by one watcher at a time."""

    socket: Socket
    """The page's own; scale_app.py gives it."""

    def __init__(self) -> None:
        self._viewed: dict[str, Viewed] = {}
        self._watchers: dict[str, object] = {}
        self._sent: dict[str, int] = {}

    async def join(self, sid: str, viewed: Viewed, watcher: object) -> None:
        """From now on the tab gets what is sent to those who look at this, and nothing of what it looked at before."""
        self._watchers[sid] = watcher
        await self._look_at(sid, viewed)

    async def change(self, sid: str, viewed: Viewed) -> None:
        """The same for a tab that has joined; another has no watcher that would let it leave."""
        if sid in self._watchers:
            await self._look_at(sid, viewed)

    async def leave(self, sid: str, watcher: object) -> None:
        """The tab gets no more, unless another watcher has taken it over."""
        if self._watchers.get(sid) is watcher:
            await self._look_at(sid, None)

    async def send(self, run_id: str, seq: int, changes: Callable[[Viewed], Changes]) -> None:
        """Tell everybody who looks at the run, unless this or something newer was sent. seq: of the snapshot."""
        if seq <= self._sent.get(run_id, -1):
            return
        self._sent[run_id] = seq
        for viewed in {viewed for viewed in self._viewed.values() if viewed.run_id == run_id}:
            await self.socket.emit(UPDATE_EVENT, state_update(changes(viewed)), room=viewed.room)

    async def _look_at(self, sid: str, viewed: Viewed | None) -> None:
        before = self._viewed.pop(sid, None)
        if viewed is None:
            del self._watchers[sid]
        else:
            self._viewed[sid] = viewed
        if before is not None and before != viewed:
            await self.socket.leave_room(sid, before.room)
            self._forget(before.run_id)
        if viewed is not None and before != viewed:
            await self._enter(sid, viewed)

    async def _enter(self, sid: str, viewed: Viewed) -> None:
        try:
            await self.socket.enter_room(sid, viewed.room)
        except ValueError:  # the socket of a tab that is gone; its watcher ends soon
            self._viewed.pop(sid, None)

    def _forget(self, run_id: str) -> None:
        if all(viewed.run_id != run_id for viewed in self._viewed.values()):
            self._sent.pop(run_id, None)


VIEWERS = Viewers()
"""Every tab of this process."""


def session_of(tab: rx.State) -> str:
    """The session of a tab's socket."""
    return str(tab.router.session.session_id)


T = TypeVar("T")
KEPT = 32
"""Views, and what is made of them, that are kept for the next tab to ask: pictures are drawn once, not per viewer."""
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

    That is when a page is opened, reloaded or connected again. What is told to all tabs at once passes a tab's own
    state by, which would be older than what its browser showed before.
    """

    def _renew(self) -> None:
        """Take what is newest. Each state's own."""
        raise NotImplementedError

    @replaces_a_base_method
    def dict(self, *args: Any, **more: Any) -> Any:
        """As Reflex asks for it when it sends all of a state."""
        self._renew()
        return cast(Any, super()).dict(*args, **more)


def view_of(record: RunRecord, points: Sequence[Point], happened: Sequence[Event], pods: PodHistory) -> RunView:
    """The view of a run, from memory when another tab has just asked for the same."""
    seq = record.last.seq if record.last else -1
    key = ("view", record.run_id, seq, len(points), record.state.value, len(happened), record.plan.users)
    view = _once(key, record, lambda: run_view(record, points, happened, pods.times()))
    _note(Newest((seq, len(happened)), record, view))
    return view


def table_of(record: RunRecord | None, by: str, descending: bool) -> PodTableView:
    """The table of a run's pods, likewise. by: one of COLUMNS."""
    last = record.last if record else None
    if last is None:
        return PodTableView()
    return _once(("table", last.run_id, last.seq, by, descending), last, lambda: pod_table(last.pods, by, descending))


def rows_of(table: PodTableView) -> list[list[str]]:
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
