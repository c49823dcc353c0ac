"""The panels that show a run: the same ones live and for a run of the past."""

from __future__ import annotations

import json
from typing import Any

import reflex as rx

from scale_app.ui.display import info, notice, table
from scale_app.ui.reflex_compat import Part, Text
from scale_app.ui.shown import charts
from scale_app.ui.shown.charts import heat_legend, heat_map
from scale_app.ui.shown.verdict import checks_panel, verdict_card
from scale_app.views.charts import time_charts
from scale_app.views.pod_state import STATES
from scale_app.views.pod_table import COLUMNS
from scale_app.views.view import ErrorRow, Happening, RunView


def panel(title: str, *inside: Part, note: Text = "", look: str = "", about: str = "", read_out: bool = False) -> Part:
    """A card with a heading and, below it, a quiet line. about: what its info button explains.

    read_out: whether its chart can be read out; the text then takes the quiet line's place.
    """
    return rx.el.section(
        rx.el.div(
            rx.el.h2(title, info(about)) if about else rx.el.h2(title),
            rx.el.p(note, class_name="quiet"),
            charts.readout() if read_out else rx.fragment(),
            class_name="panel-head",
        ),
        *inside,
        class_name=f"card {look}".strip(),
        aria_label=title,
    )


def run_head(view: RunView, experiment: Part) -> Part:
    """What a run says, before any picture. experiment: what would decide it, or what it decided."""
    return rx.el.div(
        _notices(view), verdict_card(view, experiment), checks_panel(), class_name="panels", data_testid="run-head"
    )


def run_panels(view: RunView, before: Part = None) -> Part:
    """The pictures and lists of a run, in reading order. before: what stands above the pictures."""
    return rx.el.div(
        # A run that failed before a pod answered has nothing to draw; empty axes would only look broken.
        rx.cond(view.active | view.has_data, rx.fragment(before or rx.fragment(), _pictures(view))),
        happened(view, "pair lazy"),
        class_name="panels",
    )


def _pictures(view: RunView) -> Part:
    return rx.fragment(
        _charts(view),
        panel(
            "Pods over time",
            rx.cond(view.heat.image != "", rx.fragment(heat_map(view.heat, view.times), heat_legend()), _no_pod()),
            note=view.heat.caption,
            about="heat",
            look="lazy",
            read_out=True,
        ),
        _pod_table(view),
        rx.cond(view.counting != "", rx.el.p(view.counting, class_name="quiet", data_testid="counting")),
    )


def _charts(view: RunView) -> Part:
    return rx.el.div(
        panel("Share per pod", charts.shares_chart(view.shares), note=view.shares.caption, about="share"),
        *[
            panel(
                chart.title,
                charts.time_chart(chart, view.times),
                charts.legend(chart.legend),
                about=chart.kind,
                look="" if chart.kind == "score" else "lazy",
                read_out=True,
            )
            for chart in time_charts(view.times)
        ],
        class_name="pair charts",
    )


def _no_pod() -> Part:
    return rx.el.p("No answer has named a pod yet.", class_name="quiet")


def _notices(view: RunView) -> Part:
    """What must not be missed: invented counts, why a run failed."""
    return rx.el.div(
        rx.cond(
            view.source == "simulated",
            notice(
                "flask-conical",
                rx.el.span(rx.el.strong("Simulated. "), view.source_note),
                data_testid="simulated-notice",
            ),
        ),
        rx.cond(
            view.message != "",
            notice(
                "circle-alert",
                rx.el.span(view.message, data_testid="run-message"),
                look=rx.cond(view.state == "failed", "notice notice-bad", "notice"),
            ),
        ),
        rx.cond(
            view.generator != "",
            notice("gauge", rx.el.span(view.generator, data_testid="generator-limit"), look="notice notice-bad"),
        ),
        class_name="notices",
        aria_live="polite",
    )


def happened(view: RunView, look: str) -> Part:
    """The run's events, newest first, beside the requests that ended badly, by cause. look: of the pair."""
    nothing_yet = "No events yet. Alerts, pod changes and load changes appear here."
    return rx.el.div(
        _listed("Events", view.happened, _happening, nothing_yet, "Newest first", "happened"),
        _listed("Failures by cause", view.errors, _error, "No request has failed.", view.errors_note, "errors"),
        class_name=look,
    )


def _listed(title: str, rows: Any, draw: Any, none: str, note: Text, name: str) -> Part:
    """none: what is said when there are no rows. name: the list's test id."""
    entries = rx.el.ol(rx.foreach(rows, draw), class_name="happened", data_testid=name)
    return panel(title, rx.cond(rows, entries, rx.el.p(none, class_name="quiet")), note=note)


def _happening(line: Happening) -> Part:
    return rx.el.li(rx.el.span(line.at, class_name="time"), rx.el.span(line.text), data_tone=line.tone)


def _error(row: ErrorRow) -> Part:
    return rx.el.li(rx.el.span(row.requests, class_name="time"), rx.el.span(row.cause))


def _pod_table(view: RunView) -> Part:
    """Every pod with its figures: its head here, its rows by pictures/pod_table.js, which finds and sorts them."""
    pods = table(
        "Table of pods",
        rx.el.thead(rx.el.tr(*[_head(column) for column in COLUMNS])),
        rx.el.tbody(),
        look="pods",
        name="pods",
        box="pods-box",
        of_box={"data-pods": view.pods, "data-states": json.dumps(STATES)},
    )
    note = rx.el.span(view.pods_note, data_testid="pods-note")
    return panel("Pods", rx.cond(view.pods != "", rx.fragment(_find(), pods), _no_pod()), note=note, look="lazy")


def _find() -> Part:
    """Not shown where there are few pods."""
    return rx.el.div(
        rx.el.input(
            type="search",
            placeholder="Find pods",
            aria_label="Find pods by name, node or state",
            class_name="input",
            custom_attrs={"data-find": ""},
            data_testid="find-pods",
        ),
        rx.el.output(class_name="quiet", aria_live="polite", data_testid="pods-found"),
        class_name="pod-find no-print",
        hidden=True,
    )


def _head(name: str) -> Part:
    column = COLUMNS[name]
    sign = rx.el.span(class_name="sort-sign", aria_hidden=True)
    of_numbers = "number" in column.look
    more = info(column.about) if column.about else rx.fragment()
    return rx.el.th(
        # A number's heading ends where the numbers end.
        more if of_numbers else rx.fragment(),
        rx.el.button(
            *((sign, column.head) if of_numbers else (column.head, sign)),
            type="button",
            class_name="sort",
            data_testid=f"sort-{name}",
        ),
        rx.fragment() if of_numbers else more,
        class_name=column.look,
        scope="col",
        custom_attrs={"aria-sort": "none", "data-column": name, "data-form": column.form},
    )
