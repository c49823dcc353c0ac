"""A request's body as a JSON object."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from starlette.requests import Request

from scale_app.api.problems import BodyError
from scale_app.domain.errors import PlanError

T = TypeVar("T")
MOST_PARTS = 40_000
"""Values, lists and objects in one body: a plan with a replayed pattern of the most points has 30,000."""
ASIDE_FROM_BYTES = 32 * 1024
"""From here on a body is read in a thread, so that nobody waits for it."""


_READER = ThreadPoolExecutor(1, "bodies")


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
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BodyError(400, f"The request's body is not JSON ({reason}). Send one JSON object.") from None
    if not isinstance(found, dict):
        raise PlanError("body", f"a JSON {json_name(found)}", "a JSON object is needed")
    if len(body) >= ASIDE_FROM_BYTES and not _has_at_most(MOST_PARTS, found):
        raise BodyError(413, f"The request's body has more than {MOST_PARTS:,} parts, the most accepted. Send less.")
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
