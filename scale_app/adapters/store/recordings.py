"""A run's recording to rows and back: read a few lines at a time, and no further than the first that is missing.

The first line of each kind is kept whole, a later one as what changed since: counters say much the same each second,
and of an hour's histograms a second changes little. A whole line is a JSON object, a changed one the list
[kind, change]; both are compressed by zlib.

A change is JSON: a whole number is added to the number that was there; a list holds what takes the old value's place,
and for a new key, where it does not come last, its place among the keys; an object holds the changes of some fields or
keys; null means that the key is gone. The order of keys comes back too, since sums of floats depend on it.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, is_dataclass
from typing import Any, cast

from scale_app.adapters.store.damage import Damage
from scale_app.codec import from_wire, to_json, to_wire
from scale_app.domain.recording import Recorded

PLAIN = (int, float, str, bool, type(None))
LEVEL = 6
HANDFUL_BYTES = 4_096
"""Of packed lines; read they are a hundred times as large."""


def difference(before: Any, now: Any) -> Any:
    """The change that makes `now` of `before`; both domain values (dataclasses, mappings, tuples, plain values)."""
    kind: type[Any] = type(now)
    if type(before) is not kind:
        return [_wire(now)]
    if kind is int:
        return now - before
    if is_dataclass(now):
        pairs = [(name, getattr(before, name), getattr(now, name)) for name in now.__dataclass_fields__]
        return {name: difference(old, new) for name, old, new in pairs if old != new}
    if isinstance(now, Mapping):
        return _of_keys(before, now)
    return [_wire(now)]


def changed(before: Any, change: Any) -> Any:
    """What `difference` was given as `now`, as JSON-ready values, of the same of `before`, which stays as it is.

    Raises ValueError, TypeError, KeyError, IndexError or AttributeError for a change that is none.
    """
    if isinstance(change, int):
        return before + change
    if isinstance(change, list):
        return change[0]
    now = dict(before)
    for key, part in change.items():
        if part is None:
            del now[key]
        elif key in before:
            now[key] = changed(before[key], part)
        else:
            now[key] = part[0]
    places = {key: part[1] for key, part in change.items() if isinstance(part, list) and len(part) > 1}
    return _placed(now, places) if places else now


def _of_keys(before: Mapping[Any, Any], now: Mapping[Any, Any]) -> Any:
    order, earlier = list(now), list(before)
    change: dict[str, Any] = {}
    if order != earlier:
        new = [key for key in order if key not in before]
        stayed = [key for key in earlier if key in now]
        if [key for key in order if key in before] != stayed:
            return [_wire(now)]
        last = order[len(stayed) :] == new
        places = {key: at for at, key in enumerate(order)}
        change = {_key(key): None for key in earlier if key not in now}
        change |= {_key(key): [_wire(now[key])] if last else [_wire(now[key]), places[key]] for key in new}
    for key, value in now.items():
        if key in before and (old := before[key]) != value:
            # Counts by the thousand are most of what comes here; a call for each would take twice as long.
            change[_key(key)] = value - old if type(value) is int is type(old) else difference(old, value)
    return change


def _placed(values: dict[str, Any], places: dict[str, int]) -> dict[str, Any]:
    order = [key for key in values if key not in places]
    for key, place in sorted(places.items(), key=lambda each: each[1]):
        order.insert(place, key)
    return {key: values[key] for key in order}


def _wire(value: Any) -> Any:
    return value if type(value) in PLAIN else to_wire(value)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else str(key)


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


class LineReader:
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


class RecordingReader:
    """Takes the rows of a recording in order. next_seq: of the row that it takes next.

    cut: a line is missing, or cannot be read by this version; what comes after it is not given.
    """

    def __init__(self, damage: Damage) -> None:
        """damage: is told of a line that cannot be read."""
        self._damage = damage
        self._lines = LineReader()
        self.next_seq = 0
        self.cut = False

    def take(self, rows: Sequence[tuple[int, bytes]]) -> list[Recorded]:
        """The lines in these (seq, body) rows."""
        kind, found = cast(type[Recorded], Recorded), list[Recorded]()
        for seq, body in rows:
            self.cut = self.cut or seq != self.next_seq
            if self.cut:
                break
            try:
                found.append(from_wire(kind, self._lines.take(body)))
            except ValueError as error:
                self.cut = True
                self._damage.tell("recording", f"the recording from line {seq} on", error)
            self.next_seq += 1
        return found


def in_handfuls(rows: Sequence[tuple[int, bytes]]) -> list[list[tuple[int, bytes]]]:
    """The rows in groups that are read in a moment and take little memory: of large ones each alone."""
    groups: list[list[tuple[int, bytes]]] = []
    size = HANDFUL_BYTES
    for row in rows:
        if size >= HANDFUL_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(row)
        size += len(row[1]) if isinstance(row[1], bytes) else 0
    return groups
