"""The legacy routes and the feed /ws/metrics, in the specification's own words: see legacy_shapes.py."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from scale_app.api import legacy_shapes as shapes
from scale_app.api.operation import Operation, Serve, aside, document
from scale_app.api.problems import STARTS
from scale_app.api.socket import ENDED, TRY_LATER, Socket, Texts, close, closed_with_reason, listen, send, until_first
from scale_app.api.v1.shapes import pair_of
from scale_app.codec import plan_from_wire, to_wire
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.errors import (
    GeneratorFailed,
    NoExperiment,
    PlanError,
    RunNotActive,
    RunNotFound,
    TargetUnavailable,
)
from scale_app.domain.events import Event, SnapshotTaken
from scale_app.domain.plan import PlanEdit
from scale_app.domain.snapshot import Source
from scale_app.service.hub import Hub

BEHIND = "This client read nothing for too long, or fell too far behind. The test may still run: connect again."
TESTS = "/api/load-test"
EXAMPLE = {"target_url": "simulated", "users": 4, "spawn_rate": 4, "duration": 1}


def legacy_operations(hub: Hub) -> list[Operation]:
    """The routes under /api/load-test, /api/compare and /api/demo."""
    tests, one, over = _Tests(hub), f"{TESTS}/{{test_id}}", (RunNotFound, RunNotActive)
    return [
        _legacy(
            "POST", f"{TESTS}/start", "startTest", "Start a load test", tests.start, shapes.Started,
            takes=shapes.TestPlan, errors=STARTS, example=EXAMPLE,
        ),
        _legacy(
            "GET", TESTS, "listTests", "List tests, newest first", tests.list, shapes.TestList,
            query=shapes.TestsQuery,
        ),
        _legacy(
            "GET", one, "getTest", "Show a test with its last snapshot", tests.get, shapes.TestInFull,
            errors=(RunNotFound,),
        ),
        _legacy(
            "PATCH", one, "editTest", "Edit the load of a running test", tests.edit, shapes.Edited, takes=PlanEdit,
            errors=(*over, GeneratorFailed), example={"users": 8},
        ),
        _legacy("POST", f"{one}/stop", "stopTest", "Stop a test", tests.stop, shapes.Stopping, errors=over),
        _legacy(
            "POST", f"{one}/experiment", "startTestExperiment", "Start the experiment for a test",
            tests.experiment, shapes.ExperimentStarted, errors=(RunNotFound, NoExperiment, *STARTS),
        ),
        _legacy(
            "GET", "/api/compare", "compareTests", "Compare two tests", tests.compare, shapes.ComparedTests,
            query=shapes.TestPairQuery, errors=(RunNotFound,),
        ),
        _legacy(
            "GET", "/api/demo", "getDemoFirst", "Show the demo", tests.demo, DemoStatus,
            errors=(TargetUnavailable,),
        ),
        _legacy(
            "PATCH", "/api/demo", "changeDemoFirst", "Change the demo", tests.change_demo, DemoStatus,
            takes=DemoChange, errors=(TargetUnavailable,), example={"policy": "weighted", "weight": 3},
        ),
    ]  # fmt: skip


def _legacy(method: str, path: str, name: str, summary: str, serve: Serve, gives: Any, **more: Any) -> Operation:
    return Operation(
        method, path, name, "Legacy routes", summary, None, gives, refusal=shapes.Refusal, serve=serve, **more
    )


class _Tests:
    """Load tests and the built-in target: what the specification calls a test is a run inside."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def start(self, request: Request) -> Response:
        plan = await aside(shapes.plan_of, await _flat_document(request))
        try:
            test_id = await self._hub.start(plan)
        except PlanError as error:  # over a cap of this installation
            raise shapes.in_wire_names(error) from None
        return _answered({"test_id": test_id, "status": "started"})

    async def list(self, request: Request) -> Response:
        limit, offset = shapes.page_of(dict(request.query_params))
        runs = await self._hub.runs(limit, offset)
        plans = await self._hub.plans_of([run.run_id for run in runs])
        tests = [shapes.run_wire(run, plans.get(run.run_id)) for run in runs]
        return _answered({"tests": tests, "limit": limit, "offset": offset})

    async def get(self, request: Request) -> Response:
        return _answered(shapes.run_detail_wire(await self._hub.run(request.path_params["test_id"])))

    async def edit(self, request: Request) -> Response:
        test_id = request.path_params["test_id"]
        record = await self._hub.edit(test_id, plan_from_wire(PlanEdit, await _flat_document(request)))
        return _answered({"test_id": test_id, "status": "edited", "plan": shapes.plan_wire(record.plan)})

    async def stop(self, request: Request) -> Response:
        test_id = request.path_params["test_id"]
        await self._hub.stop(test_id)
        return _answered({"test_id": test_id, "status": "stopping"})

    async def experiment(self, request: Request) -> Response:
        first_id = request.path_params["test_id"]
        test_id = await self._hub.experiment(first_id)
        planned = await self._hub.planned_experiment(first_id)
        return _answered({"test_id": test_id, "status": "started", "reason": planned.reason})

    async def compare(self, request: Request) -> Response:
        compared = await self._hub.compare(*pair_of(request.query_params.get("ids"), "tests"))
        return _answered({**to_wire(compared), "comparable": compared.comparable})

    async def demo(self, _request: Request) -> Response:
        return _answered(to_wire(await self._hub.demo.status()))

    async def change_demo(self, request: Request) -> Response:
        change = plan_from_wire(DemoChange, await _flat_document(request))
        return _answered(to_wire(await self._hub.demo.change(change)))


def _answered(body: dict[str, Any]) -> Response:
    """A JSON answer that nobody may keep; ASCII only, so that whatever a stranger sent can be quoted back."""
    return Response(json.dumps(body, allow_nan=False), 200, {"Cache-Control": "no-store"}, "application/json")


async def _flat_document(request: Request) -> dict[str, object]:
    return shapes.flat(await document(request))


def metrics_socket(hub: Hub) -> Socket:
    """The endpoint of /ws/metrics. ?test_id= follows one test and closes when that ends; without it, all tests."""
    texts = Texts()

    async def metrics(socket: WebSocket) -> None:
        await socket.accept()
        test_id = socket.query_params.get("test_id")
        async with closed_with_reason(socket):
            async with hub.subscribe(test_id) as events:
                kept_up = await until_first(_send_all(socket, hub, texts, events), listen(socket))
            # A feed of all tests, or of a test that goes on, has no end: the client was too slow.
            if kept_up and test_id is not None and not (await hub.run(test_id)).state.active:
                await close(socket, ENDED, "The test has ended.")
            else:
                await close(socket, TRY_LATER, BEHIND)

    return metrics


async def _send_all(socket: WebSocket, hub: Hub, texts: Texts, events: AsyncIterator[tuple[str, Event]]) -> None:
    sources: dict[str, Source] = {}
    async for run_id, event in events:
        if isinstance(event, SnapshotTaken):
            sources[run_id] = event.snapshot.source
        await send(socket, texts.text(event, partial(live_text, hub, run_id, event, sources.get(run_id))))


def live_text(hub: Hub, run_id: str, event: Event, source: Source | None) -> str | None:
    """The message for an event, None when it has none. source: of the run, when the listener knows it."""
    source = source or next((run.source for run in hub.active() if run.run_id == run_id), None)
    message = shapes.live_wire(run_id, event, source)
    return None if message is None else json.dumps(message, allow_nan=False, separators=(",", ":"))
