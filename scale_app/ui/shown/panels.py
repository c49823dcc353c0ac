"""The panels that show a run: the same ones live and for a run of the past."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.display import info, notice
from scale_app.ui.reflex_compat import Part, Text
from scale_app.ui.shown import charts
from scale_app.ui.shown.charts import heat_legend, heat_map
from scale_app.ui.shown.findings import findings_panel
from scale_app.ui.shown.pod_table import pod_table
from scale_app.ui.shown.verdict import verdict_card
from scale_app.views.charts import time_charts
from scale_app.views.view import AlertRow, ErrorRow, Happening, RunView


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


def run_panels(view: RunView, experiment: Part) -> Part:
    """Everything about one run, in reading order. experiment: what would decide it, or what it decided."""
    return rx.el.div(
        notices(view),
        verdict_card(view),
        findings_panel(view),
        experiment,
        # A run that failed before a pod answered has nothing to draw; empty axes would only look broken.
        rx.cond(view.active | view.has_data, _pictures(view)),
        rx.el.div(happened(view), errors(view), class_name="pair lazy"),
        class_name="panels",
    )


def _pictures(view: RunView) -> Part:
    return rx.fragment(
        _charts(view),
        panel(
            "Pods over time",
            _heat_or_why_not(view),
            rx.cond(view.heat.image != "", heat_legend()),
            note=view.heat.caption,
            about="heat",
            look="lazy",
            read_out=True,
        ),
        pod_table(),
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
        class_name="pair",
    )


def _heat_or_why_not(view: RunView) -> Part:
    return rx.cond(
        view.heat.image != "",
        heat_map(view.heat, view.times),
        rx.el.p("No answer has named a pod yet.", class_name="quiet"),
    )


def notices(view: RunView) -> Part:
    """What must not be missed: an alert, invented counts, why a run failed."""
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
        rx.foreach(view.alerts, _alert),
        class_name="notices",
        aria_live="polite",
    )


def _alert(alert: AlertRow) -> Part:
    said = rx.el.span(rx.el.strong(alert.title, ". "), alert.message, info("alerts"))
    return notice("triangle-alert", said, look="notice notice-alert", data_testid="alert")


def happened(view: RunView) -> Part:
    """The run's events, newest first."""
    return panel(
        "Events",
        rx.cond(
            view.happened,
            rx.el.ol(rx.foreach(view.happened, _happening), class_name="happened", data_testid="happened"),
            rx.el.p("No events yet. Alerts, pod changes and load changes appear here.", class_name="quiet"),
        ),
        note="Newest first",
    )


def _happening(line: Happening) -> Part:
    return rx.el.li(rx.el.span(line.at, class_name="time"), rx.el.span(line.text), data_tone=line.tone)


def errors(view: RunView) -> Part:
    """Requests that ended badly, by cause; no empty table when there are none."""
    return panel(
        "Failures by cause",
        rx.cond(
            view.errors,
            rx.el.ul(rx.foreach(view.errors, _error), class_name="happened", data_testid="errors"),
            rx.el.p("No request has failed.", class_name="quiet"),
        ),
        note=view.errors_note,
    )


def _error(row: ErrorRow) -> Part:
    return rx.el.li(rx.el.span(row.requests, class_name="time"), rx.el.span(row.cause))
