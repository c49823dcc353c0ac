"""Who makes each request and each WebSocket: found before anything else sees it, inside of the guard.

How is in service/ways_in.py. Nobody known: refused, but for the probes and for files of the page that hold no data.
The caller of a WebSocket that stays open, or of an answer that takes long, is looked for again every few seconds; when
nobody is known there any more, it ends.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import ClassVar
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scale_app.api.guard import HASHED_ASSET
from scale_app.api.plain_page import plain_page
from scale_app.api.problems import (
    ASKED_FOR,
    FOR_PROGRAMS,
    FORBIDDEN,
    NOT_SIGNED_IN,
    REFERENCE,
    SAFE_METHODS,
    refuse,
    status_of,
)
from scale_app.api.socket import TRY_LATER
from scale_app.api.strangers import NoteRefusal, not_noted
from scale_app.domain.errors import ScaleError
from scale_app.domain.identity import CALLER, Caller, NotSignedIn, SignIn, WithoutRole
from scale_app.service.proxy_headers import BadProxyHeaders, Headers
from scale_app.service.ways_in import WaysIn, bearer, joined

LOGIN = "/auth/login"
OPEN_TO_ALL = re.compile(
    rf"/healthz|/readyz|/auth/(login|callback|logout)|{HASHED_ASSET.pattern}|/fonts/[A-Za-z0-9_-][A-Za-z0-9_.-]*"
    r"|/favicon\.(svg|ico)|/scale\.css|/(readout|pod_table)\.js"
)
"""What needs no login: probes, the way to the login itself, and files of the page, the same for everybody."""
CHECK_EVERY_S = 4.0
"""How often the caller of what is open is looked for again; a token's check may itself be five seconds old."""
PROXY_SOCKET_S = 3_600.0
"""For so long at most a WebSocket stays open whose caller a proxy told. The page connects again by itself."""
KNOWN_SOCKET = "scale_app.known_socket"
"""Where in a WebSocket's ASGI scope its `KnownSocket` is."""
NO_STORE = (b"cache-control", b"no-store")
ENDED = "Whoever opened this connection is not signed in any more. Sign in again."
ASK_THE_PROXY = "Connect again, so that the proxy that signs people in is asked who this is."
CANNOT_TELL = "Who asks cannot be told from the headers of this request. Sign in again, or ask an admin of this server."
SIGNING_IN, WITHOUT_SIGN_IN = "signing in", ("asking without a sign-in", "it named nobody that this server knows")
NOBODY, NO_ROLE, CANNOT = "Not signed in", "No role here", "Nobody can sign in now"


class KnownConnection:
    """Something that is open. caller: who is at its other end; None once nobody is known there any more."""

    gone: ClassVar[Message] = {"type": "http.disconnect"}

    def __init__(self, caller: Caller, find: Callable[[], Awaitable[Caller | None]]) -> None:
        self.caller: Caller | None = caller
        self.over = asyncio.Event()
        self._find = find

    async def watch(self, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Look again and again; it is over when nobody is known at its other end."""
        looks = 0
        while self.caller is not None and not self.stale(looks):
            await sleep(CHECK_EVERY_S)
            looks += 1
            # While the database is away nobody is sent away; nobody new comes in either.
            with suppress(ScaleError):
                self.caller = await self._find()
        self.over.set()

    def stale(self, looks: int) -> bool:
        """Must it begin anew, after so many looks, for its caller to be known still?"""
        return False

    async def next_of(self, receive: Receive) -> Message:
        """The client's next message, or that it is gone once it is over."""
        coming, over = asyncio.ensure_future(receive()), asyncio.ensure_future(self.over.wait())
        try:
            await asyncio.wait({coming, over}, return_when=asyncio.FIRST_COMPLETED)
            return coming.result() if coming.done() and not self.over.is_set() else self.gone
        finally:
            coming.cancel()
            over.cancel()


class KnownSocket(KnownConnection):
    """An open WebSocket."""

    gone: ClassVar[Message] = {"type": "websocket.disconnect", "code": FORBIDDEN}

    def stale(self, looks: int) -> bool:
        """Who has signed out at a proxy, the proxy tells when a connection begins, and not of one that is open."""
        by_proxy = self.caller is not None and self.caller.principal.sign_in is SignIn.PROXY
        return by_proxy and looks * CHECK_EVERY_S >= PROXY_SOCKET_S

    async def give(self, send: Send, message: Message) -> None:
        """On to the client; once it is over, that alone, in place of what the inside says to a client that is gone."""
        if not self.over.is_set():
            await send(message)
        elif message["type"] == "websocket.close":
            code, reason = (FORBIDDEN, ENDED) if self.caller is None else (TRY_LATER, ASK_THE_PROXY)
            await send({**message, "code": code, "reason": reason})


class KnownAnswer(KnownConnection):
    """An answer on its way, such as a run's verdict, which may be waited for, or a file."""

    def __init__(self, caller: Caller, find: Callable[[], Awaitable[Caller | None]]) -> None:
        super().__init__(caller, find)
        self._begun = False

    async def give(self, scope: Scope, send: Send, message: Message) -> None:
        """On to the client; once it is over, nothing more."""
        if self.over.is_set():
            return await self.end(scope, send)
        self._begun = True
        return await send(message)

    async def end(self, scope: Scope, send: Send) -> None:
        """Refuse what has not begun; what has is never complete."""
        if not self._begun:
            self._begun = True
            await _refused(scope, send, NOT_SIGNED_IN, NOBODY, ENDED)


class KnownCallers:
    """ASGI middleware: sets CALLER for what is inside, and lets nobody through who is not known."""

    def __init__(
        self,
        app: ASGIApp,
        ways: WaysIn,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        note: NoteRefusal = not_noted,
    ) -> None:
        self._app, self._ways, self._sleep, self._note = app, ways, sleep, note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        told, asked = list(scope["headers"]), scope
        address, port = scope.get("client") or ("", 0)
        # Inside nobody looks through a proxy any more: the client is who the proxy says.
        named = (self._ways.client(told, address), port)
        scope = {**scope, "headers": self._ways.proxy.without(told), "client": named}
        if _needs_nobody(scope):
            return await self._app(scope, receive, send)
        try:
            caller = await self._ways.caller(told, address)
        except BadProxyHeaders:
            self._note(asked, SIGNING_IN, CANNOT_TELL)
            return await _refused(scope, send, 400, NOBODY, CANNOT_TELL)
        except WithoutRole as error:
            self._note(asked, SIGNING_IN, str(error), who=error.name)
            return await _refused(scope, send, status_of(error), NO_ROLE, str(error))
        except ScaleError as error:
            return await _refused(scope, send, status_of(error), CANNOT, str(error))
        if caller is None:
            return await self._nobody(asked, scope, send)
        find = partial(self._ways.caller, told, address)
        if scope["type"] == "http":
            return await self._answered(KnownAnswer(caller, find), scope, receive, send)
        socket = KnownSocket(caller, find)
        return await self._connected(socket, {**scope, KNOWN_SOCKET: socket}, receive, send)

    async def _served(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        before = CALLER.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            CALLER.reset(before)

    async def _answered(self, answer: KnownAnswer, scope: Scope, receive: Receive, send: Send) -> None:
        await self._watched(answer, scope, receive, partial(answer.give, scope, send))
        if answer.over.is_set():
            await answer.end(scope, send)

    async def _watched(self, known: KnownConnection, scope: Scope, receive: Receive, send: Send) -> None:
        assert known.caller is not None
        if known.caller.principal.sign_in is SignIn.NONE:  # there is nothing that could end
            return await self._served(known.caller, scope, receive, send)
        watching = asyncio.create_task(known.watch(self._sleep))
        try:
            await self._served(known.caller, scope, lambda: known.next_of(receive), send)
        finally:
            watching.cancel()

    async def _connected(self, socket: KnownSocket, scope: Scope, receive: Receive, send: Send) -> None:
        await self._watched(socket, scope, receive, partial(socket.give, send))
        if socket.over.is_set():
            # Only now: the server does not close while somebody waits for the client's next message.
            await socket.give(send, {"type": "websocket.close"})

    async def _nobody(self, asked: Scope, scope: Scope, send: Send) -> None:
        if not self._ways.login or not _is_page(scope):
            if not bearer(asked["headers"]):  # wrong tokens are counted where they are checked
                self._note(asked, *WITHOUT_SIGN_IN)
            return await _refused(scope, send, NOT_SIGNED_IN, NOBODY, str(NotSignedIn()))
        path = scope["path"] + (f"?{query}" if (query := scope["query_string"].decode("latin-1")) else "")
        where = f"{LOGIN}?next={quote(path, safe='/')}"
        return await _answer(send, 303, b"", [(b"location", where.encode()), NO_STORE])


async def _refused(scope: Scope, send: Send, status: int, title: str, sentence: str) -> None:
    """As a page to people, as what they understand to programs."""
    if not _is_page(scope):
        return await refuse(scope, send, status, sentence)
    headers = [(b"content-type", b"text/html; charset=utf-8"), NO_STORE]
    headers += [ASKED_FOR] if status == NOT_SIGNED_IN else []
    return await _answer(send, status, plain_page(title, sentence).encode(), headers)


async def _answer(send: Send, status: int, body: bytes, headers: Headers) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _needs_nobody(scope: Scope) -> bool:
    if scope["type"] != "http" or not OPEN_TO_ALL.fullmatch(scope["path"]):
        return False
    return scope["method"] in SAFE_METHODS or scope["path"].startswith("/auth/")


def _is_page(scope: Scope) -> bool:
    """Is it a browser that wants to show a page?"""
    if scope["type"] == "websocket":
        return False
    path, accept = scope["path"], joined(scope["headers"], b"accept")
    data = path in FOR_PROGRAMS or (path.startswith(("/api/", "/_", "/ws/")) and not path.startswith(REFERENCE))
    return scope["method"] in SAFE_METHODS and not data and "text/html" in accept
