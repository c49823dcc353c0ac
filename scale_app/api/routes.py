"""The REST routes. Each is: read the request, ask the hub, say it in the wire's words."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route, WebSocketRoute

from scale_app.api.bodies import aside, document
from scale_app.api.first_routes import TESTS, first_operations
from scale_app.api.messages import (
    comparison_wire,
    demo_wire,
    flat,
    in_wire_names,
    page_of,
    pair_of,
    plan_of,
    plan_wire,
    run_detail_wire,
    run_wire,
)
from scale_app.api.openapi import openapi
from scale_app.api.operation import Operation, route_of
from scale_app.api.probes import probe_operations
from scale_app.api.problems import REFERENCE, V1, error_body, status_of
from scale_app.api.reference import PAGE_POLICY, reference_html
from scale_app.api.socket import metrics_socket
from scale_app.api.unexpected import AnswerUnexpected
from scale_app.api.v1.installation import installation_operations
from scale_app.api.v1.reports import report_operations
from scale_app.api.v1.runs import RUN, run_operations
from scale_app.api.v1.stream import Message, run_stream, stream_operation
from scale_app.codec import plan_from_wire
from scale_app.domain.demo import DemoChange
from scale_app.domain.errors import PlanError, ScaleError, TooManyExports
from scale_app.domain.plan import PlanEdit
from scale_app.service.runs import Runs
from scale_app.settings import Settings

NO_CACHE = {"Cache-Control": "no-cache"}
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def api_app(hub: Runs, settings: Settings) -> Starlette:
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


def _routes(hub: Runs) -> list[BaseRoute]:
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
        *(route_of(operation) for operation in operations(hub)),
        WebSocketRoute(f"{RUN}/stream", run_stream(hub)),
        *_documents(hub),
        Route("/api/{rest:path}", _nowhere, methods=METHODS),
        WebSocketRoute("/ws/metrics", metrics_socket(hub)),
    ]


def operations(hub: Runs) -> list[Operation]:
    """Every documented route."""
    return [
        *run_operations(hub),
        stream_operation(),
        *report_operations(hub),
        *installation_operations(hub),
        *probe_operations(hub),
    ]


def described_api(hub: Runs) -> dict[str, Any]:
    """The OpenAPI document."""
    return openapi([*operations(hub), *first_operations()], get_args(Message))


class _Tests:
    """Load tests: what the specification calls a test is a run inside."""

    def __init__(self, hub: Runs) -> None:
        self._hub = hub

    async def start(self, request: Request) -> Response:
        plan = await aside(plan_of, await _flat_document(request))
        try:
            test_id = await self._hub.start(plan)
        except PlanError as error:  # over a cap of this installation
            raise in_wire_names(error) from None
        return answered({"test_id": test_id, "status": "started"})

    async def list(self, request: Request) -> Response:
        limit, offset = page_of(dict(request.query_params))
        runs = await self._hub.runs(limit, offset)
        plans = await self._hub.plans_of([run.run_id for run in runs])
        tests = [run_wire(run, plans.get(run.run_id)) for run in runs]
        return answered({"tests": tests, "limit": limit, "offset": offset})

    async def get(self, request: Request) -> Response:
        return answered(run_detail_wire(await self._hub.run(request.path_params["test_id"])))

    async def edit(self, request: Request) -> Response:
        test_id = request.path_params["test_id"]
        record = await self._hub.edit(test_id, plan_from_wire(PlanEdit, await _flat_document(request)))
        return answered({"test_id": test_id, "status": "edited", "plan": plan_wire(record.plan)})

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

    def __init__(self, hub: Runs) -> None:
        self._hub = hub

    async def status(self, _request: Request) -> Response:
        return answered(demo_wire(await self._hub.demo.status()))

    async def change(self, request: Request) -> Response:
        change = plan_from_wire(DemoChange, await _flat_document(request))
        return answered(demo_wire(await self._hub.demo.change(change)))


def answered(body: dict[str, Any]) -> Response:
    """A JSON answer that nobody may keep; ASCII only, so that whatever a stranger sent can be quoted back."""
    return Response(json.dumps(body, allow_nan=False), 200, {"Cache-Control": "no-store"}, "application/json")


async def _flat_document(request: Request) -> dict[str, object]:
    return flat(await document(request))


def _documents(hub: Runs) -> list[BaseRoute]:
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
        sentence = f"{request.method} is not possible at {request.url.path[:200]}; use {allowed}."
    refusal = _refusal(request, error.status_code, sentence)
    refusal.headers.update(error.headers or {})
    return refusal


def _refusal(request: Request, status: int, sentence: str, error: ScaleError | None = None) -> Response:
    body, kind = error_body(request.url.path, status, sentence, error)
    return Response(json.dumps(body), status, {"Cache-Control": "no-store"}, kind)
