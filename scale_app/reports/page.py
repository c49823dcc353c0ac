"""A run as one HTML file that looks like its page: no network, light or dark as the reader's, printable.

The same views and pictures as the page, put into a template; nothing is computed here. Its one script is the page's
own, which reads the pictures out; the file's policy names it by its hash, so that no text of a run can be another.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.recording import WholeRun
from scale_app.pictures.axes import SIDE
from scale_app.pictures.balance import RING
from scale_app.views.charts import CLASSES, LEGEND, SCALE_TICKS, THRESHOLD_AT, TimeChart, time_charts
from scale_app.views.pod_table import pod_table
from scale_app.views.presenting import run_view
from scale_app.views.view import Times
from scale_app.views.words import CHECK_NAMES


def page(whole: WholeRun) -> str:
    """The whole file."""
    view = run_view(whole.record, whole.points, whole.happened, whole.pods.times)
    checks = [(check.outcome.value, CHECK_NAMES[check.name], check.sentence) for check in whole.gate.checks]
    script = files("scale_app.pictures").joinpath("readout.js").read_text("utf-8")
    return _template().render(
        view=view,
        charts=[_drawn(chart, view.times) for chart in time_charts(view.times)],
        checks=checks,
        pods=pod_table(whole.record.last),
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


def _drawn(chart: TimeChart, times: Times) -> TimeChart:
    """The chart without lines for events, which this page lists, and without a legend for alerts that there are not."""
    left_out = {"event-line", "" if times.alerts else "alert-span"}
    return replace(
        chart,
        lines=tuple(line for line in chart.lines if line.look != "event-line"),
        legend=tuple(entry[:2] for entry in chart.legend if entry[0] not in left_out),
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
