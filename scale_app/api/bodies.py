"""A request's body as a JSON object."""

from __future__ import annotations

import json

from starlette.requests import Request

from scale_app.api.problems import BodyError
from scale_app.domain.errors import PlanError


async def document(request: Request) -> dict[str, object]:
    """The JSON object in the request's body. Raises BodyError when it is not JSON, PlanError when it is no object."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        shown = kind[:80] or "no Content-Type"
        raise BodyError(415, f"The request's body came as {shown}; send JSON with Content-Type: application/json.")
    return document_of(await request.body())


def document_of(body: bytes) -> dict[str, object]:
    """The JSON object in a body. Raises BodyError when it is not JSON, PlanError when it is no object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BodyError(400, f"The request's body is not JSON ({reason}). Send one JSON object.") from None
    if not isinstance(found, dict):
        raise PlanError("body", f"a JSON {json_name(found)}", "a JSON object is needed")
    return found


def json_name(value: object) -> str:
    """What JSON calls a value."""
    names = {dict: "object", list: "list", str: "text", type(None): "null", bool: "truth value"}
    return names.get(type(value), "number")
