"""What is known of a run that tabs show; and one view and one message for all who look at it, however many they are.

Reflex keeps a state for each tab, finds what changed in it and encodes that, tab by tab. Of a running test only the
figures change from second to second, and they are the same for everybody: those go to a group of the page's own socket.
What concerns one tab alone - its first look, a change of the run's state, its toasts - still goes through its state.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, Protocol, TypeVar, cast

import reflex as rx

from scale_app.domain.events import Event, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Point, point_of
from scale_app.ui.reflex_compat import UPDATE_EVENT, replaces_a_base_method, state_update
from scale_app.views.presenting import run_view
from scale_app.views.view import RunView

T = TypeVar("T")


class Following:
    """The shown run: its record with the newest snapshot, and a point for each second."""

    def __init__(self) -> None:
        self.record: RunRecord | None = None
        self.points: list[Point] = []
        self.happened: list[Event] = []
        self.pods = PodHistory()

    @property
    def run_id(self) -> str:
        """ "" when no run is shown."""
        return self.record.run_id if self.record else ""

    def show(
        self, record: RunRecord, points: Sequence[Point], happened: Sequence[Event], pods: PodHistory | None = None
    ) -> None:
        """Show another run from here on. pods: the hub's own, which goes on with the run."""
        self.record, self.points, self.happened = record, list(points), list(happened)
        self.pods = pods or PodHistory()

    def gives_way_to(self, run_id: str, wanted: str) -> bool:
        """True when the page should turn to this run: it is the one asked for, or the one shown has ended."""
        if run_id == self.run_id:
            return False
        return run_id == wanted or self.record is None or not (self.record.state.active or self.run_id == wanted)

    def take(self, event: Event) -> None:
        """An event of the shown run."""
        if self.record is None:
            return
        match event:
            case SnapshotTaken():
                self._take_snapshot(self.record, event)
            case StateChanged():
                self.record = replace(self.record, state=event.state, message=event.message)
            case PlanEdited():
                self.record = replace(self.record, plan=event.plan)
        if not isinstance(event, SnapshotTaken) and event not in self.happened:
            self.happened.append(event)

    def _take_snapshot(self, record: RunRecord, event: SnapshotTaken) -> None:
        if record.last is not None and event.snapshot.seq < record.last.seq:
            return
        # The state comes from its own events: the last snapshot of an interrupted run still says that it runs.
        self.record = replace(record, last=event.snapshot)
        if not self.points or event.snapshot.elapsed_s > self.points[-1].elapsed_s:
            self.points.append(point_of(event.snapshot))


async def paced(items: AsyncIterator[T], gap_s: float, idle_s: float) -> AsyncIterator[list[T]]:
    """Batches at least gap_s apart; an empty one after each idle_s without an item. Ends when `items` end."""
    coming: asyncio.Future[T] = asyncio.ensure_future(anext(items))
    try:
        while True:
            await asyncio.wait({coming}, timeout=idle_s)
            batch: list[T] = []
            while coming.done():
                try:
                    batch.append(coming.result())
                except StopAsyncIteration:
                    if batch:
                        yield batch
                    return
                coming = asyncio.ensure_future(anext(items))
                await asyncio.sleep(0)
            yield batch
            if batch:
                await asyncio.sleep(gap_s)
    finally:
        coming.cancel()


Changes = dict[type, dict[str, Any]]
"""New values by state class and by the name of the variable."""


class Socket(Protocol):
    """What is used of the page's socket: rooms of sessions, and a message to all in a room."""

    async def enter_room(self, sid: str, room: str) -> None: ...

    async def leave_room(self, sid: str, room: str) -> None: ...

    async def emit(self, event: str, data: Any, *, room: str) -> None: ...


class Viewers:
    """Who looks at which run, by the session of a tab's socket. A tab is followed by one watcher at a time."""

    socket: Socket
    """The page's own; scale_app.py gives it."""

    def __init__(self) -> None:
        self._viewed: dict[str, str] = {}
        self._watchers: dict[str, object] = {}
        self._sent: dict[str, int] = {}

    async def join(self, sid: str, run_id: str, watcher: object) -> None:
        """From now on the tab gets what is sent to those who look at the run, and nothing of the one before."""
        self._watchers[sid] = watcher
        await self._look_at(sid, run_id)

    async def leave(self, sid: str, watcher: object) -> None:
        """The tab gets no more, unless another watcher has taken it over."""
        if self._watchers.get(sid) is watcher:
            del self._watchers[sid]
            await self._look_at(sid, None)

    async def send(self, run_id: str, seq: int, changes: Callable[[], Changes]) -> None:
        """Tell everybody who looks at the run, unless this or something newer was sent. seq: of the snapshot."""
        if seq <= self._sent.get(run_id, -1):
            return
        self._sent[run_id] = seq
        if run_id in self._viewed.values():
            await self.socket.emit(UPDATE_EVENT, state_update(changes()), room=run_id)

    async def _look_at(self, sid: str, run_id: str | None) -> None:
        before = self._viewed.get(sid)
        if before == run_id:
            return
        if before is not None:
            del self._viewed[sid]
            await self.socket.leave_room(sid, before)
            self._forget(before)
        if run_id is not None:
            self._viewed[sid] = run_id
            await self._enter(sid, run_id)

    async def _enter(self, sid: str, run_id: str) -> None:
        try:
            await self.socket.enter_room(sid, run_id)
        except ValueError:  # the socket of a tab that is gone; its watcher ends soon
            self._viewed.pop(sid, None)

    def _forget(self, run_id: str) -> None:
        if run_id not in self._viewed.values():
            self._sent.pop(run_id, None)


VIEWERS = Viewers()
"""Every tab of this process."""


def session_of(tab: rx.State) -> str:
    return str(tab.router.session.session_id)


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


@rx.serializer
def plain_view(view: RunView) -> dict[str, Any]:
    """What the page's socket sends of a view; made once, however many tabs it is sent to."""
    return _once(("plain", id(view)), view, lambda: cast(dict[str, Any], _plain(view)))


def _plain(value: object) -> object:
    if is_dataclass(value):
        return {each.name: _plain(getattr(value, each.name)) for each in fields(value)}
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
