"""One route of /api/v1 as data: what it takes, gives and refuses. The server and the OpenAPI document are made from it.

So a route cannot answer what is not documented, and what validates a request is what describes it. Bodies are read
here, too.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from scale_app.api.problems import BodyError, Problem
from scale_app.codec import in_pieces, plan_from_wire, query_from_wire, to_json
from scale_app.domain.errors import PlanError, ScaleError

NO_STORE = {"Cache-Control": "no-store"}
T = TypeVar("T")
Serve = Callable[[Request], Awaitable[Response]]
MOST_PARTS = 40_000
"""Values, lists and objects in one body: a plan with a replayed pattern of the most points has 30,000."""
ASIDE_FROM_BYTES = 32 * 1024
"""From here on a body is read in a thread, so that nobody waits for it."""
_READER = ThreadPoolExecutor(1, "bodies")


async def _never() -> None:
    await asyncio.Event().wait()


@dataclass(frozen=True, slots=True)
class Nothing:
    """A query without parameters."""


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A request that has been read and checked. query, body: of the operation's types. accept: its Accept header.

    gone: waits until the client goes.
    """

    path: Mapping[str, str]
    query: Any = None
    body: Any = None
    accept: str = ""
    gone: Callable[[], Coroutine[Any, Any, None]] = _never

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
    long: the answer holds long lists, so that it is written down in pieces. serve: in place of `answer`, for a route
    that reads its request and writes its answer by itself.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answer: Callable[[CheckedRequest], Awaitable[object]] | None
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
    serve: Serve | None = None

    @property
    def writes(self) -> bool:
        return self.method != "GET"


def route_of(operation: Operation) -> Route:
    """The route that fulfils the operation."""
    endpoint = operation.serve or _endpoint(operation)
    return Route(operation.path, endpoint, methods=[operation.method], name=operation.name)


def _endpoint(operation: Operation) -> Serve:
    answer = operation.answer
    assert answer is not None

    async def endpoint(request: Request) -> Response:
        value = await answer(await _asked(operation, request))
        if isinstance(value, Response):
            return value
        if operation.gives is None:
            return Response(status_code=operation.status, headers=NO_STORE)
        made, where = (value.value, {"Location": value.location}) if isinstance(value, Made) else (value, {})
        content = await asyncio.to_thread(_written, operation, made)
        return Response(content, operation.status, {**NO_STORE, **where}, "application/json")

    return endpoint


def _written(operation: Operation, made: object) -> bytes:
    # In a thread also when it is short: to find out how a type is written takes up to 0.1 s, the first time.
    return b"".join(in_pieces(made)) if operation.long else to_json(made, operation.gives)


async def _asked(operation: Operation, request: Request) -> CheckedRequest:
    query: object = None if operation.query is None else query_from_wire(operation.query, _once(request))
    # Checking ten thousand points of a pattern takes a moment; in a thread, since others must not wait for it.
    takes = operation.takes
    body = None if takes is None else await aside(plan_from_wire, takes, await document(request))
    accept = request.headers.get("accept", "")
    return CheckedRequest(request.path_params, query, body, accept, partial(_gone, request))


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _once(request: Request) -> dict[str, str]:
    """The query's parameters. Raises PlanError for one that is given twice."""
    pairs = request.query_params.multi_items()
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, _ in pairs if len(request.query_params.getlist(name)) > 1)
        raise PlanError(twice, ", ".join(request.query_params.getlist(twice)), "give it once")
    return found


async def aside(read: Callable[..., T], *given: object) -> T:
    """What `read` gives, from a thread that all requests share: of several large bodies one is read at a time, since
    each holds the interpreter for as long as it is parsed."""
    return await asyncio.get_running_loop().run_in_executor(_READER, partial(read, *given))


async def document(request: Request) -> dict[str, object]:
    """The JSON object in the request's body. Raises BodyError when it is not JSON, PlanError when it is no object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        shown = kind[:80] or "no Content-Type"
        raise BodyError(415, f"The request's body came as {shown}; send JSON with Content-Type: application/json.")
    body = await request.body()
    return await aside(document_of, body) if len(body) >= ASIDE_FROM_BYTES else document_of(body)


def document_of(body: bytes) -> dict[str, object]:
    """The JSON object in a body. Raises BodyError when it is not JSON or too large, PlanError when it is no object."""
    try:
        found = json.loads(body, object_pairs_hook=_each_once)
    except PlanError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BodyError(400, f"The request's body is not JSON ({reason}). Send one JSON object.") from None
    if not isinstance(found, dict):
        raise PlanError("body", f"a JSON {json_name(found)}", "a JSON object is needed")
    if len(body) >= ASIDE_FROM_BYTES and not _has_at_most(MOST_PARTS, found):
        raise BodyError(413, f"The request's body has more than {MOST_PARTS:,} parts, the most accepted. Send less.")
    return found


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object, whose names must differ: which value of a name was meant, nobody can tell."""
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise PlanError(twice[:200], found[twice], "it is given twice, and each name has one value")
    return found


def _has_at_most(most: int, value: object) -> bool:
    """Are there so few parts in a JSON value? Looks at no more of them."""
    waiting, seen = [value], 0
    while waiting and seen <= most:
        part = waiting.pop()
        inside = list(part.values()) if isinstance(part, dict) else part if isinstance(part, list) else []
        if len(inside) > most:
            return False
        seen += 1
        waiting.extend(inside)
    return seen <= most


def json_name(value: object) -> str:
    """What JSON calls a value."""
    names = {dict: "object", list: "list", str: "text", type(None): "null", bool: "truth value"}
    return names.get(type(value), "number")
