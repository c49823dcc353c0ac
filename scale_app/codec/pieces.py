"""JSON of what holds long lists, in pieces: making one holds the interpreter, so each takes milliseconds at most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, get_type_hints

from scale_app.codec.wire import to_json

AT_ONCE = 200
"""Items of a list in one piece: a second's point, or a pod's row of spans."""


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
