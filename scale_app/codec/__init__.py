"""Domain objects to JSON and back: one rule for REST, WebSocket, worker pipe, demo pipe and store.

Field names are the wire's names. Reading is strict about unknown fields, NaN and infinity; the plan's own
constructor does the rest, so a wrong plan is one PlanError whichever way it came in. What holds long lists is written
in pieces: making one holds the interpreter, so each takes milliseconds at most. Plans in files, which need YAML:
plan_text.py.

What a schema says of each field is what the docstring of its type says. Why the fields are not described one by one, as
pydantic can read it: docs/decisions/0018-docstrings-describe-fields.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, Literal, TypeVar, cast, get_type_hints

from pydantic import TypeAdapter, ValidationError

from scale_app.domain.errors import MOST_WHOLE, NOT_GIVEN, PlanError, ScaleError
from scale_app.domain.plan import LoadPlan

AT_ONCE = 200
"""Items of a list in one piece: a second's point, or a pod's row of spans."""
T = TypeVar("T")
Direction = Literal["validation", "serialization"]
MARK = re.compile(r"(?:^|(?<=\s))(\w+\*?(?:, \w+\*?)*): ")
"""What stands before the meaning of a field, or of several."""
QUOTED = re.compile("'([^']*)'")
KINDS = {
    "int": "a whole number is needed",
    "float": "a number is needed",
    "finite": "a number is needed",
    "string": "text is needed",
    "bool": "true or false is needed",
    "list": "a list is needed",
    "tuple": "a list is needed",
    "dict": "names with their values are needed, {} for none",
    "dataclass": "a list of fields and their values is needed, {} for none",
}
"""What is needed where something of another kind was given, by the beginning of pydantic's name for that."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def prepare(*kinds: Any) -> None:
    """Find out how these kinds are read and written: up to 0.1 s each, the first time. In a thread if others must not
    wait for that."""
    for kind in kinds:
        _adapter(kind)


def to_json(value: object, kind: Any = None) -> bytes:
    """One line of JSON. Give `kind` for a union such as Event or Sample."""
    return _adapter(cast(Any, kind or type(value))).dump_json(value)


def to_wire(value: object, kind: Any = None) -> Any:
    """JSON-ready dicts, lists and plain numbers."""
    return _adapter(cast(Any, kind or type(value))).dump_python(value, mode="json")


def from_json(kind: type[T], line: bytes | str) -> T:
    """A domain object from our own JSON (pipe, store). Raises ValueError when it is not of this kind."""
    value: T = _adapter(cast(Any, kind)).validate_json(line)
    return value


def from_wire(kind: type[T], value: object) -> T:
    """A domain object from what `to_wire` made. Raises ValueError when it is not of this kind."""
    made: T = _adapter(cast(Any, kind)).validate_python(value)
    return made


def plan_from_wire(kind: type[T], document: object) -> T:
    """A plan, or another input dataclass, from what a stranger sent.

    Raises PlanError naming the first wrong field: missing, unknown, of the wrong type, not finite or not usable.
    """
    if not isinstance(document, dict):
        raise PlanError("body", document, "a JSON object is needed")
    try:
        value: T = _adapter(cast(Any, kind)).validate_json(json.dumps(_whole(document)), strict=True, extra="forbid")
    except ValidationError as invalid:
        raise _plan_error(invalid, kind) from None
    return value


def _whole(value: Any) -> Any:
    """The same with 3.0 and 1e3 as the whole numbers that they are, in JSON's schemas and to people."""
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_whole(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < MOST_WHOLE else value


def query_from_wire(kind: type[T], query: dict[str, str]) -> T:
    """A query's parameters, all text, as the dataclass that names them. Raises PlanError like `plan_from_wire`."""
    try:
        value: T = _adapter(cast(Any, kind)).validate_strings(query, extra="forbid")
    except ValidationError as invalid:
        raise _plan_error(invalid, kind) from None
    return value


def schemas(kinds: Sequence[tuple[Any, Direction]], at: str) -> tuple[dict[Any, Any], dict[str, Any]]:
    """JSON Schema of what is read ("validation") and written ("serialization"), from the types that do it.

    kinds: each with its direction. at: where the named ones will be, as in "#/components/schemas/{model}".
    Gives {(kind, direction): schema} and {name: schema} of what those refer to.
    """
    inputs = [(str(number), direction, _adapter(kind)) for number, (kind, direction) in enumerate(kinds)]
    found, definitions = TypeAdapter.json_schemas(inputs, ref_template=at)
    by_kind = {pair: found[str(number), pair[1]] for number, pair in enumerate(kinds)}
    return by_kind, definitions.get("$defs", {})


def _plan_error(invalid: ValidationError, kind: Any) -> ScaleError:
    first = invalid.errors(include_url=False)[0]
    cause = first.get("ctx", {}).get("error")
    if isinstance(cause, ScaleError):
        return cause
    field = ".".join(str(part) for part in first["loc"]) or "body"
    if first["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        return PlanError(field, first["input"], f"there is no such field{_near(kind, first['loc'])}")
    if first["type"] in ("missing", "missing_argument"):
        return PlanError(field, NOT_GIVEN, "it is needed")
    return PlanError(field, first["input"], _accepted(first["type"], first["msg"]))


def _near(kind: Any, way: tuple[int | str, ...]) -> str:
    """Which field was probably meant; "" when none is near. way: from an object of this kind to the unknown field."""
    for name in way[:-1]:
        kind = get_type_hints(kind).get(str(name)) if is_dataclass(kind) else None
    names = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    near = get_close_matches(str(way[-1]), names, n=1)
    return f"; the nearest name is {'.'.join([*map(str, way[:-1]), near[0]])}" if near else ""


def _accepted(kind: str, message: str) -> str:
    if kind == "literal_error":
        choices = QUOTED.findall(message)
        return f"either {' or '.join(choices)}" if len(choices) == 2 else f"one of {', '.join(choices)}"
    return KINDS.get(kind.split("_")[0], message[:1].lower() + message[1:])


def in_pieces(value: Any) -> Iterator[bytes]:
    """The same bytes as `to_json` of a dataclass, whose tuples are written a few items at a time."""
    hints = get_type_hints(type(value))
    before = "{"
    for field in fields(value):
        yield f'{before}"{field.name}":'.encode()
        part, kind, before = getattr(value, field.name), hints[field.name], ","
        yield from list_in_pieces(part, kind) if isinstance(part, tuple) else (to_json(part, kind),)
    yield b"}"


def list_in_pieces(items: Sequence[Any], kind: Any) -> Iterator[bytes]:
    """The same bytes as `to_json`. kind: of the whole, as in tuple[Point, ...]."""
    before = b"["
    for first in range(0, len(items), AT_ONCE):
        yield before + to_json(tuple(items[first : first + AT_ONCE]), kind)[1:-1]
        before = b","
    yield b"]" if items else b"[]"


def plan_schema() -> dict[str, Any]:
    """A JSON schema by which editors complete and check plan files."""
    schema = _adapter(LoadPlan).json_schema()
    parts = {name: described(part) for name, part in schema.pop("$defs", {}).items()}
    return {"$schema": DIALECT, **described(schema), "title": "Plan of a load test by Scale", "$defs": parts}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """A type's JSON schema with each field's meaning at the field, taken from the docstring in JSON's words.

    Fields that are not named are refused.
    """
    schema = _untitled(schema)
    if "properties" not in schema:
        return schema
    text = re.sub(r"\s+Raises [^.]+\.$", "", schema.get("description", "").replace("None", "null"))
    whole, meanings = meanings_of(text, list(schema["properties"]))
    properties = {
        name: _untitled(part) | ({"description": meanings[name]} if meanings.get(name) else {})
        for name, part in schema["properties"].items()
    }
    return {**schema, "properties": properties, "additionalProperties": False, "description": whole}


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name != "title"}


def meanings_of(docstring: str, fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A docstring's own text, and what it says of each field.

    A field's part begins with its name, or several with commas between, or a common beginning with a star ("recent_*"),
    and a colon; it ends where the next part or paragraph begins.
    """
    own, meanings = [], {}
    for paragraph in docstring.split("\n\n"):
        text = " ".join(paragraph.split())
        marks = [(mark, named) for mark in MARK.finditer(text) if (named := _named(mark[1], fields))]
        starts = [*(mark.start() for mark, _ in marks), len(text)]
        if before := text[: starts[0]].strip():
            own.append(before)
        for (mark, named), end in zip(marks, starts[1:], strict=True):
            meanings.update(dict.fromkeys(named, text[mark.end() : end].strip(" ;")))
    return "\n\n".join(own), meanings


def _named(patterns: str, fields: Sequence[str]) -> list[str]:
    return [field for pattern in patterns.split(", ") for field in fields if fnmatchcase(field, pattern)]
