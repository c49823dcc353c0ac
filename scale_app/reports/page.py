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
from scale_app.domain.recording import WholeRun
from scale_app.pictures.axes import SIDE
from scale_app.pictures.gauge import RING
from scale_app.reports.markdown import check_name
from scale_app.views import format as shown
from scale_app.views.presenting import run_view
from scale_app.views.view import Tick

SCORE_TICKS = tuple(Tick(f"{100 * at:g}%", f"{at:g}") for at in (0, 0.25, 0.5, 0.75, 1))
THRESHOLD_PATH = f"M0 {SIDE * (1 - THRESHOLD):g}H{SIDE}"


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
                ("alert-span", times.alerts),
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
        cpu=any(pod.cpu != shown.NONE for pod in view.pods),
        style=files("scale_app.reports").joinpath("page.css").read_text("utf-8"),
        ring=RING,
        side=SIDE,
        threshold=f"{100 * THRESHOLD:g}%",
    )


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
