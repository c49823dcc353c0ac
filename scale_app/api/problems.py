"""What an error is on the wire: its status, and its body as problem+json (RFC 9457) or in the legacy routes' shape.

`/api/v1` and the probes answer with a problem: `type` names the cause for programs and is where the reference explains
it, `detail` is the sentence for people. The older routes keep `{"error": sentence}`: see
docs/decisions/0002-wire-shapes.md. An exception that nobody expected is logged under an id, and the
caller gets the id, no traceback.
"""

from __future__ import annotations

import json
import logging
import re
import uuid
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scale_app.domain import errors, identity

log = logging.getLogger(__name__)

INTERNAL_ERROR, FORBIDDEN, GOING_WRONG = 500, 1008, 1011
NOT_SIGNED_IN, ASKED_FOR = 401, (b"www-authenticate", b"Bearer")
V1 = "/api/v1"
REFERENCE = "/api/docs"
PROBES = ("/healthz", "/readyz")
FOR_PROGRAMS = (*PROBES, "/metrics", "/openapi.json")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PROBLEM_JSON = "application/problem+json"


class BodyError(errors.ScaleError):
    """The request's body could not be taken at all: not JSON (400), not complete (408), too large (413), no JSON by its
    own words (415)."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


STATUS: dict[type[errors.ScaleError], int] = {
    kind: status
    for status, kinds in (
        (422, (errors.PlanError,)),
        (401, (identity.NotSignedIn,)),
        (403, (errors.TargetRefused, identity.NotPermitted, identity.WithoutRole)),
        (404, (errors.RunNotFound, errors.BaselineNotFound, errors.PlanNotFound, errors.TokenNotFound)),
        (409, (errors.RunNotActive, errors.RunStillActive, errors.NoExperiment)),
        (412, (errors.NotPassed,)),
        (429, (errors.TooManyRuns,)),
        (503, (errors.TooManyExports, errors.StoreUnavailable, errors.GeneratorFailed, errors.CountingFailed)),
        (503, (errors.TargetUnavailable, errors.ClusterUnavailable, errors.ClusterForbidden)),
        (503, (errors.BusUnavailable, errors.OwnerAway, errors.ServerEnding)),
    )
    for kind in kinds
}
STARTS = (
    errors.TargetRefused, errors.TooManyRuns, errors.TargetUnavailable, errors.GeneratorFailed, errors.ServerEnding,
)  # fmt: skip
"""What a run that is to begin may be refused with."""

TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Refused",
    404: "Not found",
    405: "Method not allowed",
    408: "Request incomplete",
    409: "Conflict with the current state",
    412: "The run did not pass",
    413: "Request too large",
    415: "Not JSON",
    421: "Unknown host",
    422: "Invalid value",
    426: "WebSocket only",
    429: "Too many runs at the same time",
    500: "Internal error",
    503: "Temporarily unavailable",
}


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a request was not fulfilled.

    type: the cause, as an address where the reference explains it.
    title: the cause in a few words. status: of the answer. detail: what was tried, what came back, what
    to do next.
    field: the part of the request at fault, "" for the whole request.
    """

    type: str
    title: str
    status: int
    detail: str
    field: str = ""


def status_of(error: errors.ScaleError) -> int:
    """The HTTP status that an error has; 500 for one that no caller can cause."""
    if isinstance(error, BodyError):
        return error.status
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def error_body(
    path: str, status: int, sentence: str, error: errors.ScaleError | None = None
) -> tuple[dict[str, Any], str]:
    """Body and content type of an error at this path. error: the cause, None for one of HTTP's own."""
    field = error.field if isinstance(error, errors.PlanError) else ""
    if path.startswith((V1, REFERENCE)) or path in FOR_PROGRAMS:
        cause = f"{REFERENCE}#{anchor_of(status, type(error))}"
        body = {"type": cause, "title": TITLES.get(status, "Error"), "status": status}
        return {**body, "detail": sentence, "field": field}, PROBLEM_JSON
    return {"error": sentence, **({"field": field} if field else {})}, "application/json"


def anchor_of(status: int, kind: type | None = None) -> str:
    """RunNotFound becomes run-not-found; what is HTTP's own is called after its status."""
    if kind in STATUS:
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", kind.__name__).lower()
    return f"status-{status}"


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
                sentence = f"Something went wrong inside Scale; the log has the details under id {error_id}."
                await refuse(scope, send, INTERNAL_ERROR, sentence, GOING_WRONG)


async def refuse(scope: Scope, send: Send, status: int, sentence: str, code: int = FORBIDDEN) -> None:
    """A whole answer that says no. ASCII only, so that a lone surrogate in what a stranger sent can be quoted back.

    code: that closes a WebSocket; before that is accepted, the server answers its handshake with 403.
    """
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": code, "reason": sentence})
        return
    body, kind = error_body(scope["path"], status, sentence)
    content = json.dumps(body).encode("ascii")
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(content)).encode())]
    headers += [ASKED_FOR] if status == NOT_SIGNED_IN else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
