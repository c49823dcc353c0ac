"""What the columns of a row may hold, and how a row that cannot be read is left out or replaced.

A damaged database, or another program, may have put anything there. That is the row's problem: it is left out or stood
in for, and said; the rest is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar

from scale_app.domain.balance import GRADES
from scale_app.domain.plausible import MOST_COUNT
from scale_app.domain.record import Headline
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import VerdictKind

T = TypeVar("T")
Row = TypeVar("Row")
log = logging.getLogger(__name__)
LAST_S = 253_370_764_800.0
"""The year 9999 in seconds since 1970: the last one that a calendar has."""
LETTERS = tuple(letter for _, letter in GRADES)
NEVER_NONE = [place for place, field in enumerate(fields(Headline)) if "None" not in str(field.type)]
"""Without these there is no headline."""


def text(value: Any) -> str:
    """Raises ValueError unless it is text."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.80} is no text")
    return value


def figure(value: Any, most: float = MOST_COUNT) -> float:
    """Raises ValueError unless it is a number from 0 to `most`."""
    if not isinstance(value, (int, float)) or not 0 <= value <= most:
        raise ValueError(f"{value!r:.80} is no number from 0 to {most:g}")
    return float(value)


def count(value: Any) -> int:
    """Raises ValueError unless it is a whole number of at least 0."""
    if not isinstance(value, int):
        raise ValueError(f"{value!r:.80} is no whole number")
    return int(figure(value))


def moment(value: Any) -> float:
    """Raises ValueError unless it is a time, in seconds since 1970."""
    return figure(value, LAST_S)


def readable(read: Callable[[Any], T], value: Any, otherwise: T) -> T:
    """What `read` gives for the value, or `otherwise` when it raises ValueError."""
    try:
        return read(value)
    except ValueError:
        return otherwise


def _grade(value: Any) -> str:
    if value not in LETTERS:
        raise ValueError(f"{value!r:.80} is no grade")
    return text(value)


def _or_none(read: Callable[[Any], Any], value: Any) -> Any:
    return None if value is None else read(value)


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column. said: its name in a sentence. read: gives what the domain has for a value; raises ValueError.

    otherwise: what stands in for a value that cannot be read.
    """

    said: str
    read: Callable[[Any], Any]
    otherwise: Any = None


COLUMNS: Mapping[str, StoredColumn] = {
    "run_id": StoredColumn("id", str),
    "target_url": StoredColumn("target", text, ""),
    "users": StoredColumn("number of users", count, 0),
    "duration_s": StoredColumn("duration", figure, 0.0),
    "source": StoredColumn("source", Source, Source.HEADER),
    # No more is known than that the run is over, so that it can be deleted.
    "state": StoredColumn("state", RunState, RunState.INTERRUPTED),
    "created_at_epoch_s": StoredColumn("time", moment, 0.0),
    "ended_at_epoch_s": StoredColumn("end", partial(_or_none, moment)),
    "message": StoredColumn("message", text, ""),
    "experiment_of": StoredColumn("question", text, ""),
    "baseline": StoredColumn("baseline's name", text, ""),
    "started_by": StoredColumn("name of who started it", text, ""),
    "seen_at_epoch_s": StoredColumn("last snapshot's time", moment),
    "verdict": StoredColumn("verdict", VerdictKind),
    "score": StoredColumn("score", partial(_or_none, partial(figure, most=1.0))),
    "grade": StoredColumn("grade", partial(_or_none, _grade)),
    "requests": StoredColumn("number of requests", count),
    "failures": StoredColumn("number of failures", count),
    "requests_per_s": StoredColumn("rate", figure),
    "p95_ms": StoredColumn("latency", partial(_or_none, figure)),
    "pods": StoredColumn("number of pods", count),
    "elapsed_s": StoredColumn("elapsed time", figure),
}
"""By the name that RunOutline and Headline have for it."""


class Damages:
    """What this process has found damaged. It stays known: who reads less of a run is told of it, too."""

    def __init__(self) -> None:
        self._found: dict[str, Damage] = {}

    def of(self, thing: str) -> Damage:
        """What is known of it. thing: its name in a sentence, as in "run 12"."""
        return self._found.get(thing) or Damage(thing, self._found)

    def forget(self, thing: str) -> None:
        self._found.pop(thing, None)


class Damage:
    """What could not be read of one thing that is stored. The log is told of each part once."""

    def __init__(self, of: str, found: dict[str, Damage]) -> None:
        """found: where it is put once there is any."""
        self._of = of
        self._found = found
        self._parts: dict[str, str] = {}
        self._logged: set[str] = set()

    def read(self, part: str, read: Callable[[], T], otherwise: T) -> T:
        """What `read` gives, or `otherwise` when it raises ValueError. part: its name in a sentence."""
        try:
            found = read()
        except ValueError as error:
            self.tell(part, f"the {part}", error)
            return otherwise
        self._parts.pop(part, None)
        return found

    def lines(self, part: str, read: Callable[[Row], T], rows: Iterable[Row]) -> list[T]:
        """What `read` gives for each row, without those for which it raises ValueError or KeyError.

        part: how one of them is called, with {s} where the word ends.
        """
        found: list[T] = []
        errors = []
        for row in rows:
            try:
                found.append(read(row))
            except (ValueError, KeyError) as error:
                errors.append(error)
        if errors:
            self.tell(part, f"{len(errors)} {part.format(s='' if len(errors) == 1 else 's')}", errors[-1])
        else:
            self._parts.pop(part, None)
        return found

    def tell(self, part: str, said: str, error: Exception) -> None:
        """A part cannot be read. said: what, in a sentence."""
        self._found[self._of] = self
        self._parts[part] = said
        if said not in self._logged:
            self._logged.add(said)
            log.warning("%s of %s cannot be read: %s", said, self._of, str(error)[:500])

    @property
    def sentence(self) -> str:
        """For people; "" when all could be read."""
        parts = list(self._parts.values())
        if not parts:
            return ""
        said = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
        return (
            f"{said[0].upper()}{said[1:]} of {self._of} cannot be read: stored by another version of Scale, or "
            "damaged. The rest is shown. Start the version that stored it, or delete it."
        )
