"""Who makes each event of the page: the caller of the socket that it came over, looked up for every event anew."""

from __future__ import annotations

from typing import Any

from reflex.middleware.middleware import Middleware

from scale_app.api.identity import KNOWN_SOCKET, KnownSocket
from scale_app.domain.identity import CALLER, LOCAL_USER, Caller
from scale_app.ui.reflex_compat import nothing_happens, session_of_event, socket_scope


class CallerOfEvents(Middleware):
    """Sets CALLER for the event that follows, chained ones and those in the background included.

    An event whose caller is not known any more does not happen.
    """

    def __init__(self, open_to_all: bool) -> None:
        self._unknown = Caller(LOCAL_USER, "") if open_to_all else None

    async def preprocess(self, app: Any, state: Any, event: Any) -> Any:
        """None to go on with the event."""
        caller = self._caller(app)
        CALLER.set(caller)
        return None if caller else nothing_happens()

    def _caller(self, app: Any) -> Caller | None:
        socket = socket_scope(app, session_of_event()).get(KNOWN_SOCKET)
        return socket.caller if isinstance(socket, KnownSocket) else self._unknown
