"""A run's recording to rows and back: read a few lines at a time, and no further than the first that is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, cast

from scale_app.adapters.store.damage import Damage
from scale_app.adapters.store.lines import Reading
from scale_app.codec import from_wire
from scale_app.domain.recording import Recorded

HANDFUL_BYTES = 4_096
"""Of packed lines; read they are a hundred times as large."""


def recorded_values(run_id: str, first_seq: int, bodies: Iterable[bytes]) -> list[dict[str, Any]]:
    """Columns of `run_recordings` for lines that follow one another."""
    return [{"run_id": run_id, "seq": seq, "body": body} for seq, body in enumerate(bodies, first_seq)]


class RecordingReader:
    """Takes the rows of a recording in order. next_seq: of the row that it takes next.

    cut: a line is missing, or cannot be read by this version; what comes after it is not given.
    """

    def __init__(self, damage: Damage) -> None:
        """damage: is told of a line that cannot be read."""
        self._damage = damage
        self._reading = Reading()
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
                found.append(from_wire(kind, self._reading.take(body)))
            except ValueError as error:
                self.cut = True
                self._damage.tell("recording", f"the recording from line {seq} on", error)
            self.next_seq += 1
        return found


def recording_of(damage: Damage, rows: Sequence[tuple[int, bytes]]) -> list[Recorded]:
    """The lines in (seq, body) rows up to the first that is missing, or that this version cannot read."""
    return RecordingReader(damage).take(rows)


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
