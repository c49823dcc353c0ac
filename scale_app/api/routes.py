"""The REST routes. Each is: read the request, ask the hub, say it in the wire's words."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute

from scale_app.api.door import Door
from scale_app.api.messages import (
    BodyError,
    comparison_wire,
    demo_wire,
    document_of,
    error_wire,
    in_wire_names,
    page_of,
    pair_of,
    plan_of,
    run_detail_wire,
    run_wire,
    status_of,
)
from scale_app.api.socket import metrics_socket
from scale_app.api.unexpected import AnswerUnexpected
from scale_app.codec import plan_from_wire
from scale_app.domain.demo import DemoChange
from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.plan import PlanEdit
from scale_app.settings import Settings

TESTS = "/api/load-test"
Endpoint = Callable[[Request], Awaitable[Response]]


def api_app(hub: Door, settings: Settings) -> Starlette:
    """The application under /api, /ws, /healthz and /readyz; everything else may be mounted behind it.

    settings: kept for what an installation may switch in the API; limits are the hub's to check.
    """
    app = Starlette(
        routes=_routes(hub),
        middleware=[Middleware(AnswerUnexpected)],
        exception_handlers={ScaleError: _on_scale_error, HTTPException: _on_http_exception},
    )
    app.state.settings = settings
    return app


def _routes(hub: Door) -> list[BaseRoute]:
    tests, demo = _Tests(hub), _Demo(hub)
    return [
        Route(f"{TESTS}/start", tests.start, methods=["POST"]),
        Route(TESTS, tests.list, methods=["GET"]),
        Route(f"{TESTS}/{{test_id}}", tests.get, methods=["GET"]),
        Route(f"{TESTS}/{{test_id}}", tests.edit, methods=["PATCH"]),
        Route(f"{TESTS}/{{test_id}}/stop", tests.stop, methods=["POST"]),
        Route(f"{TESTS}/{{test_id}}/experiment", tests.experiment, methods=["POST"]),
        Route("/api/compare", tests.compare, methods=["GET"]),
        Route("/api/demo", demo.status, methods=["GET"]),
        Route("/api/demo", demo.change, methods=["PATCH"]),
        Route("/api/{rest:path}", _nowhere, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
        Route("/healthz", _alive, methods=["GET"]),
        Route("/readyz", _ready(hub), methods=["GET"]),
        WebSocketRoute("/ws/metrics", metrics_socket(hub)),
    ]


class _Tests:
    """Load tests: what the specification calls a test is a run inside."""

    def __init__(self, hub: Door) -> None:
        self._hub = hub

    async def start(self, request: Request) -> Response:
        plan = plan_of(await _document(request))
        try:
            test_id = await self._hub.start(plan)
        except PlanError as error:  # over a cap of this installation
            raise in_wire_names(error) from None
        return answered({"test_id": test_id, "status": "started"})

    async def list(self, request: Request) -> Response:
        limit, offset = page_of(dict(request.query_params))
        runs = await self._hub.runs(limit, offset)
        return answered({"tests": [run_wire(run) for run in runs], "limit": limit, "offset": offset})

    async def get(self, request: Request) -> Response:
        return answered(run_detail_wire(await self._hub.run(request.path_params["test_id"])))

    async def edit(self, request: Request) -> Response:
        test_id = request.path_params["test_id"]
        await self._hub.edit(test_id, plan_from_wire(PlanEdit, await _document(request)))
        return answered({"test_id": test_id, "status": "edited"})

    async def stop(self, request: Request) -> Response:
        test_id = request.path_params["test_id"]
        await self._hub.stop(test_id)
        return answered({"test_id": test_id, "status": "stopping"})

    async def experiment(self, request: Request) -> Response:
        first_id = request.path_params["test_id"]
        planned = await self._hub.planned_experiment(first_id)
        test_id = await self._hub.experiment(first_id)
        return answered({"test_id": test_id, "status": "started", "reason": planned.reason})

    async def compare(self, request: Request) -> Response:
        first_id, second_id = pair_of(dict(request.query_params))
        return answered(comparison_wire(await self._hub.compare(first_id, second_id)))


class _Demo:
    """The built-in target."""

    def __init__(self, hub: Door) -> None:
        self._hub = hub

    async def status(self, _request: Request) -> Response:
        return answered(demo_wire(await self._hub.demo.status()))

    async def change(self, request: Request) -> Response:
        change = plan_from_wire(DemoChange, await _document(request))
        return answered(demo_wire(await self._hub.demo.change(change)))


def answered(body: dict[str, Any], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer that nobody may keep; ASCII only, so that whatever a stranger sent can be quoted back."""
    content = json.dumps(body, allow_nan=False)
    return Response(content, status, {**(headers or {}), "Cache-Control": "no-store"}, "application/json")


async def _document(request: Request) -> dict[str, object]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        shown = kind[:80] or "no Content-Type"
        raise BodyError(415, f"The request's body came as {shown}; send JSON with Content-Type: application/json.")
    return document_of(await request.body())


async def _alive(_request: Request) -> Response:
    return answered({"status": "ok"})


def _ready(hub: Door) -> Endpoint:
    async def ready(_request: Request) -> Response:
        await hub.check()
        return answered({"status": "ready"})

    return ready


async def _nowhere(request: Request) -> Response:
    """The end of all paths under /api; it also hides Starlette's own 405, which is given back here."""
    partly = (route for route in request.app.routes if route.matches(request.scope)[0] is Match.PARTIAL)
    if allowed := sorted({method for route in partly for method in route.methods}):
        raise HTTPException(405, headers={"Allow": ", ".join(allowed)})
    raise HTTPException(404, f"There is nothing at {request.url.path[:200]}. The API begins at {TESTS}.")


async def _on_scale_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ScaleError)
    field = error.field if isinstance(error, PlanError) else None
    return answered(error_wire(str(error), field), status_of(error))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = error.detail
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        sentence = f"{request.method} is not possible at {request.url.path[:200]}; use {allowed}."
    return answered(error_wire(sentence), error.status_code, dict(error.headers or {}))
