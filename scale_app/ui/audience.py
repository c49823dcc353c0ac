"""One message for all tabs that look at the same run in the same order, encoded once however many they are.

Reflex keeps a state for each tab, finds what changed in it and encodes that, tab by tab. Of a running test only the
figures change from second to second, and they are the same for everybody: those go to a room of the page's own socket.
What concerns one tab alone - its first look, a change of the run's state, its toasts - still goes through its state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from reflex.istate.data import RouterData
from reflex.state import StateUpdate
from reflex_base.constants.state import FIELD_MARKER
from reflex_base.registry import RegistrationContext

MESSAGE = "event"
"""What Reflex calls an update of a tab's state."""

Changes = dict[type, dict[str, Any]]
"""New values by state class and by the name of the variable."""


@dataclass(frozen=True, slots=True)
class Seat:
    """What a tab looks at: a run, its pods sorted by a column."""

    run_id: str
    by: str
    falling: bool

    @property
    def room(self) -> str:
        return f"{self.run_id} {self.by} {self.falling}"


class Socket(Protocol):
    """What is used of the page's socket: rooms of sessions, and a message to all in a room."""

    async def enter_room(self, sid: str, room: str) -> None: ...

    async def leave_room(self, sid: str, room: str) -> None: ...

    async def emit(self, event: str, data: Any, *, room: str) -> None: ...


class Audience:
    """Who looks at what, by the session of a tab's socket. A tab is followed by one watcher at a time."""

    def __init__(self, socket: Callable[[], Socket]) -> None:
        self._socket = socket
        self._seats: dict[str, Seat] = {}
        self._watchers: dict[str, object] = {}
        self._told: dict[str, int] = {}

    async def sit(self, sid: str, seat: Seat, watcher: object) -> None:
        """From now on the tab gets what is told in this seat, and nothing of its former one."""
        self._watchers[sid] = watcher
        await self._change(sid, seat)

    async def move(self, sid: str, seat: Seat) -> None:
        """The same for a tab that has a seat; another has nobody who would see it off."""
        if sid in self._watchers:
            await self._change(sid, seat)

    async def leave(self, sid: str, watcher: object) -> None:
        """The tab gets no more, unless another watcher has taken it over."""
        if self._watchers.get(sid) is watcher:
            await self._change(sid, None)

    async def tell(self, run_id: str, seq: int, changes: Callable[[Seat], Changes]) -> None:
        """Tell everybody who looks at the run, unless this or something newer was told. seq: of the snapshot."""
        if seq <= self._told.get(run_id, -1):
            return
        self._told[run_id] = seq
        for seat in {seat for seat in self._seats.values() if seat.run_id == run_id}:
            await self._socket().emit(MESSAGE, _update(changes(seat)), room=seat.room)

    async def _change(self, sid: str, seat: Seat | None) -> None:
        before = self._seats.pop(sid, None)
        if seat is None:
            del self._watchers[sid]
        else:
            self._seats[sid] = seat
        if before is not None and before != seat:
            await self._socket().leave_room(sid, before.room)
            self._forget(before.run_id)
        if seat is not None and before != seat:
            await self._enter(sid, seat)

    async def _enter(self, sid: str, seat: Seat) -> None:
        try:
            await self._socket().enter_room(sid, seat.room)
        except ValueError:  # the socket of a tab that is gone; its watcher ends soon
            self._seats.pop(sid, None)

    def _forget(self, run_id: str) -> None:
        if all(seat.run_id != run_id for seat in self._seats.values()):
            self._told.pop(run_id, None)


def _page_socket() -> Any:
    return RegistrationContext.get().app.event_namespace


AUDIENCE = Audience(_page_socket)
"""Every tab of this process."""


def session_of(router: RouterData) -> str:
    """The session of a tab's socket."""
    return str(router.session.session_id)


def _update(changes: Changes) -> StateUpdate:
    """As Reflex words it: a state's full name, and each variable's name with its mark."""
    return StateUpdate(
        delta={
            state.get_full_name(): {name + FIELD_MARKER: value for name, value in values.items()}  # type: ignore[attr-defined]
            for state, values in changes.items()
        }
    )
