"""What happened, drawn into the time charts: thin lines for events, a shade for as long as an alert was on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scale_app.pictures.axes import SIDE


@dataclass(frozen=True, slots=True)
class EventLines:
    """Paths in a box of SIDE x SIDE, "" without any."""

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
