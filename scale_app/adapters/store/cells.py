"""What the columns of a run's row may hold. A damaged database, or another program, may have put anything there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, TypeVar

from scale_app.domain.balance import GRADES
from scale_app.domain.record import Headline
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import VerdictKind

T = TypeVar("T")
MOST = 2.0**53
"""Of a count or a figure: up to here every reader of JSON tells one whole number from the next."""
LAST_S = 253_370_764_800.0
"""The year 9999 in seconds since 1970: the last one that a calendar has."""
LETTERS = tuple(letter for _, letter in GRADES)


def text(value: Any) -> str:
    """Raises ValueError unless it is text."""
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.80} is no text")
    return value


def figure(value: Any, most: float = MOST) -> float:
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
class Cell:
    """A column. said: its name in a sentence. read: gives what the domain has for a value; raises ValueError.

    otherwise: what stands in for a value that cannot be read.
    """

    said: str
    read: Callable[[Any], Any]
    otherwise: Any = None


CELLS: Mapping[str, Cell] = {
    "run_id": Cell("id", str),
    "target_url": Cell("target", text, ""),
    "users": Cell("number of users", count, 0),
    "duration_s": Cell("duration", figure, 0.0),
    "source": Cell("source", Source, Source.HEADER),
    # No more is known than that the run is over, so that it can be deleted.
    "state": Cell("state", RunState, RunState.INTERRUPTED),
    "created_at_epoch_s": Cell("time", moment, 0.0),
    "ended_at_epoch_s": Cell("end", partial(_or_none, moment)),
    "message": Cell("message", text, ""),
    "experiment_of": Cell("question", text, ""),
    "baseline": Cell("baseline's name", text, ""),
    "seen_at_epoch_s": Cell("last snapshot's time", moment),
    "verdict": Cell("verdict", VerdictKind),
    "score": Cell("score", partial(_or_none, partial(figure, most=1.0))),
    "grade": Cell("grade", partial(_or_none, _grade)),
    "requests": Cell("number of requests", count),
    "failures": Cell("number of failures", count),
    "requests_per_s": Cell("rate", figure),
    "p95_ms": Cell("latency", partial(_or_none, figure)),
    "pods": Cell("number of pods", count),
    "elapsed_s": Cell("elapsed time", figure),
}
"""By the name that RunOutline and Headline have for it."""
NEVER_NONE = [place for place, field in enumerate(fields(Headline)) if "None" not in str(field.type)]
"""Without these there is no headline."""
