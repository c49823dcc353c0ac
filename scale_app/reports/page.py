"""A run as one HTML file that looks like its page: no network, light or dark as the reader's, printable.

The same views and pictures as the page, put into a template; nothing is computed here. Its one script is the page's
own, which reads the pictures out; the file's policy names it by its hash, so that no text of a run can be another.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.recording import WholeRun
from scale_app.pictures.axes import SIDE
from scale_app.pictures.score import RING
from scale_app.reports.pipeline import check_name
from scale_app.views import format as shown
from scale_app.views.charts import CLASSES, EVEN_FROM, LEGEND, SCALE_TICKS, SCORE_TICKS, THRESHOLD_AT, THRESHOLD_PATH
from scale_app.views.presenting import run_view
from scale_app.views.view import AxisTick, Times


@dataclass(frozen=True)
class Line:
    """One path. look: a class of the stylesheet; series: what the read-out calls its values, "" when it has none."""

    look: str
    d: str
    series: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart over time. kind, top, unit: for the read-out, top the axis' upper end; legend: (class, text)."""

    title: str
    label: str
    kind: str
    top: str
    unit: str
    ticks: Sequence[AxisTick]
    lines: tuple[Line, ...]
    legend: tuple[tuple[str, str], ...]


def page(whole: WholeRun) -> str:
    """The whole file."""
    view = run_view(whole.record, whole.points, whole.happened, whole.pods.times)
    checks = [(check.outcome.value, check_name(check), check.sentence) for check in whole.gate.checks]
    script = files("scale_app.pictures").joinpath("readout.js").read_text("utf-8")
    return _template().render(
        view=view,
        charts=(_score(view.times), _rate(view.times), _latency(view.times)),
        checks=checks,
        cpu=any(pod.cpu != shown.NONE for pod in view.pods),
        heat_classes=CLASSES,
        heat_legend=LEGEND,
        style=files("scale_app.reports").joinpath("page.css").read_text("utf-8"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        ring=RING,
        side=SIDE,
        threshold=THRESHOLD_AT,
        even_from=f"{THRESHOLD:g}",
        scale_ticks=SCALE_TICKS,
    )


def _score(times: Times) -> Chart:
    lines = (
        Line("alert-span", times.alerts),
        Line("area", times.score_area),
        Line("threshold", THRESHOLD_PATH),
        Line("line-second", times.recent_score, "last seconds"),
        Line("line", times.score, "score since the start"),
    )
    legend = (("line", "since the start"), ("line-second", "last seconds"), ("threshold", EVEN_FROM))
    alert = (("alert-span", "alert"),) if times.alerts else ()
    return Chart("Score over time", "Balance score over time", "score", "1", "", SCORE_TICKS, lines, legend + alert)


def _rate(times: Times) -> Chart:
    title, label = "Requests per second", "Requests per second over time"
    lines = (
        Line("area", times.requests_area),
        Line("line", times.requests, "requests"),
        Line("line-failures", times.failures, "failures"),
    )
    legend = (("line", "requests"), ("line-failures", "failures"))
    return Chart(title, label, "rate", times.rate_top, " /s", times.rates, lines, legend)


def _latency(times: Times) -> Chart:
    title, label = "Latency in milliseconds", "Latency over time"
    lines = (
        Line("line-second", times.p50, "p50"),
        Line("line", times.p95, "p95"),
        Line("line-dotted", times.p99, "p99"),
    )
    legend = (("line-second", "p50"), ("line", "p95"), ("line-dotted", "p99"))
    return Chart(title, label, "latency", times.latency_top, " ms", times.latencies, lines, legend)


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
