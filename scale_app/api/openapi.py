"""The OpenAPI document, made from the operations that serve and from the types that read and write.

Descriptions come from the types' docstrings, which name each field with its unit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from scale_app.api.operation import Operation
from scale_app.api.problems import PROBES, PROBLEM_JSON, STATUS, TITLES, Problem
from scale_app.codec import Direction, described, schemas
from scale_app.domain.errors import PlanError, ScaleError, StoreUnavailable
from scale_app.domain.identity import NotPermitted, NotSignedIn, WithoutRole

AT = "#/components/schemas/{model}"
EVERY_WRITE = (403, 408, 413)
ABOUT = (
    "Start load tests, follow them, and read how evenly the pods answered. A field that does not exist is refused, "
    "never ignored. Every error says what was tried, what came back and what to do next."
)
Json = dict[str, Any]
NO_QUERY: Json = {"properties": {}}


def openapi(operations: Sequence[Operation], further: Sequence[Any] = ()) -> Json:
    """The document (OpenAPI 3.1). further: types that are described beside those of the operations."""
    kinds: list[tuple[Any, Direction]] = [*_kinds(operations), *((kind, "serialization") for kind in further)]
    found, named = schemas(list(dict.fromkeys(kinds)), AT)
    # A query's parts stand at their operation, so its own schema is not named beside the others.
    queries = {kind: described(named.pop(kind.__name__)) for kind in {each.query for each in operations} if kind}
    paths: dict[str, Json] = {}
    for operation in operations:
        said = _operation(operation, found, queries[operation.query] if operation.query else NO_QUERY)
        paths.setdefault(operation.path, {})[operation.method.lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {"title": "Scale", "version": "1", "description": ABOUT},
        "paths": paths,
        "components": {"schemas": {name: described(schema) for name, schema in sorted(named.items())}},
    }


def _kinds(operations: Iterable[Operation]) -> Iterable[tuple[Any, Direction]]:
    for each in operations:
        yield from ((kind, "serialization") for kind in (each.refusal, each.gives) if kind is not None)
        yield from ((kind, "validation") for kind in (each.takes, each.query) if kind is not None)


def _operation(operation: Operation, found: dict[Any, Json], query: Json) -> Json:
    says: Json = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        "responses": _responses(operation, found),
    }
    if operation.does:
        says["description"] = operation.does
    if parameters := [*_path_parameters(operation), *_query_parameters(query)]:
        says["parameters"] = parameters
    if operation.takes is not None:
        content: Json = {"schema": found[operation.takes, "validation"]}
        if operation.example is not None:
            content["example"] = operation.example
        says["requestBody"] = {"required": True, "content": {"application/json": content}}
    return says


def _path_parameters(operation: Operation) -> list[Json]:
    meanings = {"run_id": "the run's id", "test_id": "the test's id", "name": "the name", "token_id": "the token's id"}
    return [
        {"name": name, "in": "path", "required": True, "description": meanings[name], "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", operation.path)
    ]


def _query_parameters(query: Json) -> Iterable[Json]:
    for name, schema in query["properties"].items():
        meaning = schema.get("description", "")
        yield {
            "name": name,
            "in": "query",
            "required": name in query.get("required", ()),
            **({"description": meaning} if meaning else {}),
            "schema": _never_null(schema),
        }


def _never_null(schema: Json) -> Json:
    """What a query can say: it has no null, a parameter is left out instead."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    bare = {name: value for name, value in schema.items() if name != "description"}
    return kinds[0] if len(kinds) == 1 else bare


def _responses(operation: Operation, found: dict[Any, Json]) -> Json:
    good: Json = {"description": operation.summary}
    content: Json = {kind: {"schema": {"type": "string"}} for kind in operation.media}
    if operation.gives is not None:
        content["application/json"] = {"schema": found[operation.gives, "serialization"]}
    if content:
        good["content"] = content
    if operation.status == 201:
        good["headers"] = {"Location": {"description": "where it is", "schema": {"type": "string"}}}
    kind = PROBLEM_JSON if operation.refusal is Problem else "application/json"
    problem = {kind: {"schema": found[operation.refusal, "serialization"]}}
    causes = refusals(operation)
    refused = {str(status): {"description": causes[status], "content": problem} for status in sorted(causes)}
    return {str(operation.status): good, **refused}


def refusals(operation: Operation) -> dict[int, str]:
    """{status: what it means} of everything that the operation may refuse a request with."""
    statuses = {400, 421, 500, *(EVERY_WRITE if operation.writes else ()), *operation.refuses}
    if operation.takes is not None:
        statuses.add(415)
    causes: dict[int, list[type[ScaleError]]] = {status: [] for status in statuses}
    every = () if operation.query is None else (StoreUnavailable, PlanError)
    for error in dict.fromkeys((*operation.errors, *every, *_unknown(operation))):
        causes.setdefault(STATUS[error], []).append(error)
    return {status: _meaning(status, errors) for status, errors in causes.items()}


def _unknown(operation: Operation) -> tuple[type[ScaleError], ...]:
    """What it refuses those with whom it does not know, or whose role it is not for."""
    if operation.path in PROBES:
        return ()
    return (NotSignedIn, WithoutRole, NotPermitted) if operation.writes else (NotSignedIn, WithoutRole)


def _meaning(status: int, errors: Sequence[type[ScaleError]]) -> str:
    sentences = [(error.__doc__ or "").strip().split("\n")[0] for error in errors if error is not PlanError]
    return " ".join(sentences) or f"{TITLES[status]}."
