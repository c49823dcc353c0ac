"""One route of /api/v1 as data: what it takes, gives and refuses. The server and the OpenAPI document are made from it.

So a route cannot answer what is not documented, and what validates a request is what describes it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scale_app.api.bodies import aside, document
from scale_app.api.problems import Problem
from scale_app.codec import in_pieces, plan_from_wire, query_from_wire, to_json
from scale_app.domain.errors import PlanError, ScaleError

NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Nothing:
    """A query without parameters."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has been read and checked. query, body: of the operation's types. accept: its Accept header."""

    path: Mapping[str, str]
    query: Any = None
    body: Any = None
    accept: str = ""

    @property
    def run_id(self) -> str:
        return self.path["run_id"]

    @property
    def name(self) -> str:
        return self.path["name"]


@dataclass(frozen=True, slots=True)
class Made:
    """An answer that is a new thing: where it is, beside what it is."""

    location: str
    value: object


@dataclass(frozen=True, slots=True)
class Operation:
    """name: for programs, unique. summary: one line. does: what else is worth knowing, "" for nothing.

    gives: type of the JSON answer, None for an answer without. media: content types of other answers, which `answer`
    returns as a Response. takes: type of the JSON body, None for none. query: dataclass of the parameters,
    None when the query is not looked at. errors: what it refuses with, beside what every route may. refuses: further
    statuses, of HTTP's own. refusal: type of every error's body. example: a body that works.
    long: the answer holds long lists, so that it is written down in pieces.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answer: Callable[[Asked], Awaitable[object]]
    gives: Any = None
    status: int = 200
    takes: Any = None
    query: type | None = Nothing
    errors: tuple[type[ScaleError], ...] = ()
    refuses: tuple[int, ...] = ()
    refusal: Any = Problem
    media: tuple[str, ...] = ()
    does: str = ""
    example: object = None
    long: bool = False

    @property
    def writes(self) -> bool:
        return self.method != "GET"


def route_of(operation: Operation) -> Route:
    """The route that fulfils the operation."""

    async def endpoint(request: Request) -> Response:
        value = await operation.answer(await _asked(operation, request))
        if isinstance(value, Response):
            return value
        if operation.gives is None:
            return Response(status_code=operation.status, headers=NO_STORE)
        made, where = (value.value, {"Location": value.location}) if isinstance(value, Made) else (value, {})
        content = await asyncio.to_thread(_written, operation, made)
        return Response(content, operation.status, {**NO_STORE, **where}, "application/json")

    return Route(operation.path, endpoint, methods=[operation.method], name=operation.name)


def _written(operation: Operation, made: object) -> bytes:
    # In a thread also when it is short: to find out how a type is written takes up to 0.1 s, the first time.
    return b"".join(in_pieces(made)) if operation.long else to_json(made, operation.gives)


async def _asked(operation: Operation, request: Request) -> Asked:
    query: object = None if operation.query is None else query_from_wire(operation.query, _once(request))
    # Checking ten thousand points of a pattern takes a moment; in a thread, since others must not wait for it.
    takes = operation.takes
    body = None if takes is None else await aside(plan_from_wire, takes, await document(request))
    return Asked(request.path_params, query, body, request.headers.get("accept", ""))


def _once(request: Request) -> dict[str, str]:
    """The query's parameters. Raises PlanError for one that is given twice."""
    pairs = request.query_params.multi_items()
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, _ in pairs if len(request.query_params.getlist(name)) > 1)
        raise PlanError(twice, ", ".join(request.query_params.getlist(twice)), "give it once")
    return found
