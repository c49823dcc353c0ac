"""Past runs as rows of a list. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from scale_app.domain.record import RunOutline
from scale_app.domain.snapshot import Point
from scale_app.domain.verdict import VerdictKind
from scale_app.pictures.score import sparkline
from scale_app.views import format as shown
from scale_app.views.words import STATES, VERDICTS


@dataclass(frozen=True)
class RunListRow:
    """One run. created_at_epoch_s: wall clock, for the reader's own time zone. spark: a path, "" when not known yet.

    baseline: the name that the run is marked with, "" for none. baseline_hint: a name to offer for it.
    problem: why it cannot be read whole, or is not stored yet; "" for neither. waits: it is not stored yet.
    """

    run_id: str = ""
    created_at_epoch_s: float = 0.0
    target: str = ""
    plan: str = ""
    source: str = ""
    source_text: str = ""
    kind: str = ""
    verdict: str = ""
    score: str = ""
    grade: str = ""
    requests: str = ""
    state: str = ""
    state_text: str = ""
    active: bool = False
    message: str = ""
    spark: str = ""
    baseline: str = ""
    baseline_hint: str = ""
    problem: str = ""
    waits: bool = False


NO_ROW = RunListRow()


def run_row(run: RunOutline, points: Sequence[Point] = ()) -> RunListRow:
    """A run as a row. points: the run's history, for its sparkline."""
    said, state = run.headline, run.state
    kind = said.verdict if said else VerdictKind.NO_DATA
    return RunListRow(
        run_id=run.run_id,
        created_at_epoch_s=run.created_at_epoch_s,
        target=run.target_url,
        plan=f"{shown.count(run.users)} users, {shown.span(run.duration_s)}",
        source=run.source.value,
        source_text=run.source.traits.label,
        kind=kind.value,
        verdict=VERDICTS[kind] if state.active or kind is not VerdictKind.NO_DATA else "No data",
        score=shown.score(said.score if said else None),
        grade=(said.grade or "") if said else "",
        requests=shown.count(said.requests if said else None),
        state=state.value,
        state_text=STATES[state],
        active=state.active,
        message=run.message,
        spark=sparkline(points),
        baseline=run.baseline,
        baseline_hint=run.baseline or _host(run.target_url),
        problem=run.unreadable or ("Not stored yet" if run.not_stored else ""),
        waits=run.not_stored != "",
    )


def part_text(first: int, rows: int, total: int) -> str:
    """Which part of the list is shown. first: place of the first row, from 0."""
    return f"{shown.count(first + 1)}–{shown.count(first + rows)} of {shown.count(total)}" if rows else ""


def _host(target_url: str) -> str:
    return urlsplit(target_url).hostname or target_url.partition("?")[0]
