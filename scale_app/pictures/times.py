"""Pictures over time: a run's score, requests and latency, what happened on the same axis, a planned load; and the
score as a line as small as a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scale_app.domain.pattern import Pattern
from scale_app.domain.snapshot import Point
from scale_app.pictures.axes import POINTS, SIDE, AxisMark, area, line, round_top, series, time_marks, time_span


@dataclass(frozen=True, slots=True)
class TimesPicture:
    """Paths in a box of SIDE x SIDE, by name, and the marks of each axis.

    paths: score, recent_score, requests, failures, p50, p95, p99, and the areas below score and requests.
    span_s: seconds that the time axis covers. score runs from 0 to 1; rate_marks in requests per second,
    latency_marks in milliseconds, time_marks in seconds; rate_top, latency_top: the upper ends of those axes.
    """

    span_s: float
    paths: dict[str, str]
    time_marks: tuple[AxisMark, ...]
    rate_marks: tuple[AxisMark, ...]
    latency_marks: tuple[AxisMark, ...]
    rate_top: float
    latency_top: float


def times_picture(points: Sequence[Point], duration_s: float, active: bool) -> TimesPicture:
    """The history as pictures. duration_s: as planned; active: the run goes on, so its time axis stays steady."""
    x = series([p.elapsed_s for p in points])
    span = time_span(float(x[-1]) if len(x) else 0.0, duration_s, active)
    columns = {name: series([getattr(p, name) for p in points]) for name in _SERIES}
    rate_top, rate_marks = round_top(_highest(columns["requests_per_s"]))
    latency_top, latency_marks = round_top(_highest(columns["p99_ms"], columns["p95_ms"], columns["p50_ms"]))
    tops = {"score": 1.0, "recent_score": 1.0, "requests": rate_top, "failures": rate_top}
    paths = {shown: line(x, columns[name], span, tops.get(shown, latency_top)) for name, shown in _SERIES.items()}
    if not _highest(columns["failures_per_s"]):
        paths["failures"] = ""
    return TimesPicture(
        span_s=span,
        paths=paths
        | {
            "score_area": area(x, columns["score"], span, 1.0),
            "requests_area": area(x, columns["requests_per_s"], span, rate_top),
        },
        time_marks=tuple(time_marks(span)),
        rate_marks=tuple(rate_marks),
        latency_marks=tuple(latency_marks),
        rate_top=rate_top,
        latency_top=latency_top,
    )


_SERIES = {
    "score": "score",
    "recent_score": "recent_score",
    "requests_per_s": "requests",
    "failures_per_s": "failures",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
}
"""Figures of a `Point`, and what their lines are called."""


def _highest(*columns: np.ndarray) -> float:
    """The highest known value, 0 without any."""
    known = np.concatenate([column[np.isfinite(column)] for column in columns])
    return float(known.max()) if len(known) else 0.0


@dataclass(frozen=True, slots=True)
class EventLines:
    """Paths: a line for each moment, a shade for as long as an alert was on; "" without any."""

    lines: str
    spans: str


def event_lines(at_s: Sequence[float], alerts: Sequence[tuple[float, float | None]], span_s: float) -> EventLines:
    """at_s: moments. alerts: from, to; None when it is on still. span_s: what the time axis covers."""
    lines = "".join(f"M{x} 0V{SIDE}" for x in dict.fromkeys(_at(moment, span_s) for moment in at_s))
    spans = "".join(
        f"M{_at(begin, span_s)} 0H{SIDE if end is None else _at(end, span_s)}V{SIDE}H{_at(begin, span_s)}Z"
        for begin, end in alerts
    )
    return EventLines(lines, spans)


def _at(moment_s: float, span_s: float) -> int:
    return round(SIDE * min(max(moment_s / span_s, 0.0), 1.0))


@dataclass(frozen=True, slots=True)
class PatternPicture:
    """Paths in a box of SIDE x SIDE. lowest, highest, mean: of the load, as shares of the plan's figures."""

    line: str
    area: str
    lowest: float
    highest: float
    mean: float


def pattern_picture(pattern: Pattern, duration_s: float) -> PatternPicture:
    """The pattern from the start to the end of the run. Edges stay upright: each point holds until the next."""
    shares = np.array([pattern.share(float(at_s)) for at_s in np.linspace(0, duration_s, POINTS, endpoint=False)])
    y = np.rint(SIDE * (1 - shares)).astype(int).tolist()
    x = np.rint(np.linspace(0, SIDE, POINTS + 1)).astype(int).tolist()
    steps = "".join(f"V{level}H{end}" for level, end in zip(y, x[1:], strict=True))
    line = f"M0 {y[0]}{steps}"
    return PatternPicture(line, f"{line}V{SIDE}H0Z", float(shares.min()), float(shares.max()), float(shares.mean()))


SPARK_POINTS = 48


def sparkline(points: Sequence[Point]) -> str:
    """The score of the last seconds over the whole run, 0 to 1, as a path that fills the box; "" without a score.

    A long run is drawn by the lowest score of each stretch: a short imbalance must not vanish in a mean.
    """
    x = series([point.elapsed_s for point in points])
    y = series([point.recent_score for point in points])
    known = np.isfinite(y)
    if not known.any():
        return ""
    lowest = [part[y[part].argmin()] for part in np.array_split(np.flatnonzero(known), SPARK_POINTS) if len(part)]
    return line(x[lowest], y[lowest], max(float(x[-1]), 1.0), 1.0)
