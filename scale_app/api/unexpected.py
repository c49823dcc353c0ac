"""The last net: an exception that nobody expected is logged under an id, and the caller gets the id, no traceback."""

from __future__ import annotations

import json
import logging
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scale_app.api.problems import error_body

log = logging.getLogger(__name__)
INTERNAL_ERROR, GOING_WRONG = 500, 1011


class AnswerUnexpected:
    """ASGI middleware. Answers 500 (or closes a WebSocket with 1011) when the application inside raises."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        begun = False

        async def noting_send(message: Message) -> None:
            nonlocal begun
            # A refused or ended WebSocket can be told nothing more either.
            begun = begun or message["type"] in ("http.response.start", "websocket.close")
            await send(message)

        try:
            await self._app(scope, receive, noting_send)
        except Exception:
            error_id = uuid.uuid4().hex[:12]
            log.exception("Unexpected error %s in %s %s", error_id, scope.get("method", "WS"), scope.get("path"))
            if not begun:
                await _answer(scope, send, error_id)


async def refuse(scope: Scope, send: Send, status: int, sentence: str) -> None:
    """A whole answer that says no. ASCII only, so that a lone surrogate in what a stranger sent can be quoted back."""
    body, kind = error_body(scope["path"], status, sentence)
    content = json.dumps(body).encode("ascii")
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def _answer(scope: Scope, send: Send, error_id: str) -> None:
    sentence = f"Something went wrong inside Scale; the log has the details under id {error_id}."
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": GOING_WRONG, "reason": sentence})
    else:
        await refuse(scope, send, INTERNAL_ERROR, sentence)
