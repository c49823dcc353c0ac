"""The application of the API: every route in its place, the documents that describe them, and how errors are told."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute

from scale_app.api.bodies import WholeBodies
from scale_app.api.legacy_routes import TESTS, legacy_operations, metrics_socket
from scale_app.api.metrics import probe_operations
from scale_app.api.openapi import openapi
from scale_app.api.operation import Operation, route_of
from scale_app.api.problems import REFERENCE, V1, AnswerUnexpected, error_body, status_of
from scale_app.api.reference import PAGE_POLICY, reference_html
from scale_app.api.sign_in import SignInRoutes
from scale_app.api.trying import trying_routes
from scale_app.api.v1.access import access_operations
from scale_app.api.v1.operations import RUN, installation_operations, run_operations
from scale_app.api.v1.reports import report_operations
from scale_app.api.v1.stream import Message, run_stream, stream_operation
from scale_app.api.v1.verdicts import verdict_operations
from scale_app.domain.errors import ScaleError, TooManyExports
from scale_app.service.hub import Hub
from scale_app.service.sign_in import SignInFlow

NO_CACHE = {"Cache-Control": "no-cache"}
FOR_THE_CURIOUS = ("/api", "/docs")
"""What people try who look for the API's page."""
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def api_app(hub: Hub, sign_in: SignInFlow | None = None) -> Starlette:
    """The application under /api, /ws, /auth, /healthz and /readyz; everything else may be mounted behind it.

    sign_in: how people sign in with a browser, None where they do not.
    """
    return Starlette(
        routes=[*_routes(hub), *(SignInRoutes(sign_in).routes() if sign_in else [])],
        middleware=[Middleware(AnswerUnexpected), Middleware(WholeBodies)],
        exception_handlers={ScaleError: _on_scale_error, HTTPException: _on_http_exception},
    )


def _routes(hub: Hub) -> list[BaseRoute]:
    return [
        *(route_of(operation) for operation in [*legacy_operations(hub), *operations(hub)]),
        WebSocketRoute(f"{RUN}/stream", run_stream(hub)),
        *_documents(hub),
        *trying_routes(),
        *(Route(path, _to_reference, methods=["GET"]) for path in FOR_THE_CURIOUS),
        Route("/api/{rest:path}", _nowhere, methods=METHODS),
        WebSocketRoute("/ws/metrics", metrics_socket(hub)),
    ]


def operations(hub: Hub) -> list[Operation]:
    """Every route of /api/v1, and the probes."""
    return [
        *run_operations(hub),
        stream_operation(),
        *report_operations(hub),
        *verdict_operations(hub),
        *installation_operations(hub),
        *access_operations(hub),
        *probe_operations(hub),
    ]


def described_api(hub: Hub) -> dict[str, Any]:
    """The OpenAPI document."""
    return openapi([*operations(hub), *legacy_operations(hub)], get_args(Message))


def _documents(hub: Hub) -> list[BaseRoute]:
    @cache  # made when one of them is first asked for: it takes a third of a second, and most processes need none
    def document() -> dict[str, Any]:
        return described_api(hub)

    async def machine_readable(_request: Request) -> Response:
        return Response(json.dumps(document()), headers=NO_CACHE, media_type="application/json")

    async def readable(_request: Request) -> Response:
        headers = {**NO_CACHE, "Content-Security-Policy": PAGE_POLICY}
        return Response(reference_html(document()), headers=headers, media_type="text/html")

    return [
        Route("/openapi.json", machine_readable, methods=["GET"]),
        Route(REFERENCE, readable, methods=["GET"]),
    ]


async def _to_reference(_request: Request) -> Response:
    return RedirectResponse(REFERENCE)


async def _nowhere(request: Request) -> Response:
    """The end of all paths under /api; it also hides Starlette's own 405, which is given back here."""
    partly = [route for route in request.app.routes if route.matches(request.scope)[0] is Match.PARTIAL]
    if partly:
        # The first path that fits is the one that is meant: /api/load-test/start is no test called "start".
        allowed = {method for route in partly if route.path == partly[0].path for method in route.methods}
        raise HTTPException(405, headers={"Allow": ", ".join(sorted(allowed))})
    raise HTTPException(404, f"There is nothing at {request.url.path[:200]}. The API begins at {V1}/runs and {TESTS}.")


async def _on_scale_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ScaleError)
    refusal = _refusal(request, status_of(error), str(error), error)
    if isinstance(error, TooManyExports):
        refusal.headers["Retry-After"] = str(error.retry_after_s)
    return refusal


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        sentence = f"{request.method} is not allowed at {request.url.path[:200]}; use {allowed}."
    refusal = _refusal(request, error.status_code, sentence)
    refusal.headers.update(error.headers or {})
    return refusal


def _refusal(request: Request, status: int, sentence: str, error: ScaleError | None = None) -> Response:
    body, kind = error_body(request.url.path, status, sentence, error)
    return Response(json.dumps(body), status, {"Cache-Control": "no-store"}, kind)
