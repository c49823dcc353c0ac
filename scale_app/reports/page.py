"""A run as one HTML file that looks like its page: no network, no script, light or dark as the reader's, printable.

The same views and pictures as the page, put into a template; nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.events import AlertRaised, Event, PlanEdited, PodChanged
from scale_app.domain.recording import WholeRun
from scale_app.pictures.axes import SIDE
from scale_app.pictures.gauge import RING
from scale_app.pictures.times import moments_at
from scale_app.reports.markdown import check_name
from scale_app.views.happenings import happenings
from scale_app.views.presenting import run_view
from scale_app.views.view import Tick

SCORE_TICKS = tuple(Tick(f"{100 * at:g}%", f"{at:g}") for at in (0, 0.25, 0.5, 0.75, 1))
THRESHOLD_PATH = f"M0 {SIDE * (1 - THRESHOLD):g}H{SIDE}"
MOST_MARKS = 40


@dataclass(frozen=True)
class Chart:
    """A chart over time. lines: (class of the stylesheet, path); legend: (class, text)."""

    title: str
    label: str
    ticks: Sequence[Tick]
    lines: tuple[tuple[str, str], ...]
    legend: tuple[tuple[str, str], ...]


def page(whole: WholeRun) -> str:
    """The whole file."""
    view = run_view(whole.record, whole.points, whole.happened)
    times = view.times
    charts = (
        Chart(
            "Score over time",
            "Balance score over time",
            SCORE_TICKS,
            (
                ("area", times.score_area),
                ("threshold", THRESHOLD_PATH),
                ("line-second", times.recent_score),
                ("line", times.score),
            ),
            (("line", "since the start"), ("line-second", "last seconds"), ("threshold", "even from 0.95")),
        ),
        Chart(
            "Requests per second",
            "Requests per second over time",
            times.rates,
            (("area", times.requests_area), ("line", times.requests), ("line-failures", times.failures)),
            (("line", "requests"), ("line-failures", "failures")),
        ),
        Chart(
            "Latency in milliseconds",
            "Latency over time",
            times.latencies,
            (("line-dotted", times.p99), ("line-second", times.p50), ("line", times.p95)),
            (("line-second", "p50"), ("line", "p95"), ("line-dotted", "p99")),
        ),
    )
    checks = [(check.outcome.value, check_name(check), check.sentence) for check in whole.gate.checks]
    return _template().render(
        view=view,
        charts=charts,
        checks=checks,
        marks=_marks(whole),
        style=files("scale_app.reports").joinpath("page.css").read_text("utf-8"),
        ring=RING,
        side=SIDE,
        threshold=f"{100 * THRESHOLD:g}%",
    )


def _marks(whole: WholeRun) -> list[tuple[str, str, str]]:
    """(CSS position, tone, text) of what happened, for the time axes: alerts, pods that come and go, edits."""
    told = [event for event in whole.happened if _worth_a_mark(event)][:MOST_MARKS]
    record = whole.record
    places = moments_at([event.elapsed_s for event in told], whole.points, record.plan.duration_s, record.state.active)
    return [
        (f"{at:.2f}%", line.tone, f"{line.at} {line.text}")
        for at, event in zip(places, told, strict=True)
        for line in happenings([event])
    ]


def _worth_a_mark(event: Event) -> bool:
    return isinstance(event, (AlertRaised, PlanEdited, PodChanged)) and event.elapsed_s > 0


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("scale_app.reports", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja")
