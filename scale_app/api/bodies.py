"""Bodies of requests: read whole before anything looks at them, within limits of size, time and memory.

Only of those who are known, so this stands inside of what finds out who asks: a body that is being read takes memory,
and with a large one on each of their connections strangers could take all of it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scale_app.api.problems import SAFE_METHODS, BodyError, refuse
from scale_app.domain.identity import caller_name

API_CAP_BYTES = 64 * 1024
PAGE_CAP_BYTES = 1024 * 1024
PLAN_CAP_BYTES = 2 * 1024 * 1024
SIGN_IN_CAP_BYTES = 4 * 1024
"""Anybody may send one there."""
PLANS = re.compile(r"/api/v1/(runs|plans/[^/]+)")
"""Where a whole plan is sent, which may hold a request's body of 1 MiB."""
MOST_OF_ONE_BYTES = 16 * 1024 * 1024
MOST_BYTES = 64 * 1024 * 1024
"""In requests that are not answered yet, of one caller and of all."""
LIMIT_S = 30.0
BROKEN = (
    "The request's body broke off before its end: it is shorter than Content-Length says, or a chunk of it is not as "
    "Transfer-Encoding: chunked has it. Send it again, whole."
)
TOO_MANY = "Too many large requests are being sent at the same time; nothing was done. Send this one again in a moment."


class WholeBodies:
    """ASGI middleware: what is inside gets the body at once, or nothing."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._held: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS:
            return await self._app(scope, receive, send)
        who, body = caller_name(), bytearray()
        try:
            if objection := await self._objection(scope, receive, who, body):
                return await refuse(scope, send, objection.status, str(objection))
            # What waits inside for its turn takes memory as well, so it is let go of afterwards.
            await self._app(scope, _given(bytes(body), receive), send)
        finally:
            self._let_go(who, len(body))

    async def _objection(self, scope: Scope, receive: Receive, who: str, body: bytearray) -> BodyError | None:
        """Read all into `body`; why not, None when it was."""
        try:
            cap = _cap(scope["path"])
            _check_announced(scope["headers"], cap)
            async with asyncio.timeout(LIMIT_S):
                await self._read(receive, cap, who, body)
        except BodyError as objection:
            return objection
        except TimeoutError:
            return BodyError(408, f"The request's body was not complete within {LIMIT_S:g} s. Send it again.")
        return None

    async def _read(self, receive: Receive, cap: int, who: str, body: bytearray) -> None:
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise BodyError(400, BROKEN)
            part, more = message.get("body", b""), message.get("more_body", False)
            body += part
            self._held[who] += len(part)
            if len(body) > cap:
                raise _too_large(cap)
            if self._held[who] > MOST_OF_ONE_BYTES or self._held.total() > MOST_BYTES:
                raise BodyError(503, TOO_MANY)

    def _let_go(self, who: str, held_bytes: int) -> None:
        self._held[who] -= held_bytes
        if not self._held[who]:
            del self._held[who]


def _given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body at once, and afterwards what the client does."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def given() -> Message:
        return messages.pop() if messages else await receive()

    return given


def _cap(path: str) -> int:
    if PLANS.fullmatch(path):
        return PLAN_CAP_BYTES
    if path.startswith("/auth/"):
        return SIGN_IN_CAP_BYTES
    return API_CAP_BYTES if path.startswith("/api/") else PAGE_CAP_BYTES


def _check_announced(headers: Iterable[tuple[bytes, bytes]], cap: int) -> None:
    for length in [value.decode("latin-1").strip() for name, value in headers if name.lower() == b"content-length"]:
        if not length.isascii() or not length.isdigit():
            raise BodyError(400, f"Content-Length: {length[:40]!r} is not a number of bytes.")
        if len(length) > 18 or int(length) > cap:
            raise _too_large(cap)


def _too_large(cap: int) -> BodyError:
    return BodyError(413, f"The request's body is larger than {cap:,} bytes, the most accepted here. Send less.")
