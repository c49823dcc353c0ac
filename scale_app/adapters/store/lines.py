"""The lines of a recording as they are kept: the first of each kind whole, a later one as what changed since.

Counters say much the same each second, and of an hour's histograms a second changes little. A whole line is a JSON
object, a changed one the list [kind, change]; both compressed by zlib.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scale_app.adapters.store.changes import changed, difference
from scale_app.codec import to_json

LEVEL = 6


@dataclass(frozen=True, slots=True)
class Written:
    """How far a recording is written. count: of its lines. newest: the newest line of each kind."""

    count: int = 0
    newest: Mapping[str, Any] = field(default_factory=dict)

    def and_then(self, first_seq: int, lines: Sequence[Any]) -> tuple[list[bytes], Written]:
        """The bodies of the lines that follow, numbered from first_seq, and how far it is written with them.

        Lines that do not follow what is known to be written are kept whole.
        """
        newest = dict(self.newest) if first_seq == self.count else {}
        bodies = []
        for line in lines:
            kind = _kind(line.kind, getattr(line, "source", ""))
            bodies.append(_body(kind, newest.get(kind), line))
            newest[kind] = line
        return bodies, Written(first_seq + len(lines), newest)


class Reading:
    """Takes the bodies of a recording in order."""

    def __init__(self) -> None:
        self._newest: dict[str, Any] = {}

    def take(self, body: bytes) -> Any:
        """The line, JSON-ready. Raises ValueError when it cannot be read."""
        try:
            kept = json.loads(zlib.decompress(body))
            line = changed(self._newest[kept[0]], kept[1]) if isinstance(kept, list) else kept
            self._newest[_kind(line["kind"], line.get("source", ""))] = line
        except (zlib.error, ValueError, TypeError, LookupError, AttributeError) as error:
            raise ValueError(f"a line of a recording cannot be read: {error!r}") from error
        return line


def _body(kind: str, before: Any, line: Any) -> bytes:
    if before is None:
        return zlib.compress(to_json(line), LEVEL)
    return zlib.compress(json.dumps([kind, difference(before, line)], separators=(",", ":")).encode(), LEVEL)


def _kind(kind: str, source: str) -> str:
    return f"{kind}/{source}" if source else kind
