"""The panels that show a run: the same ones live and for a run of the past."""

from __future__ import annotations

import reflex as rx

from scale_app.ui import charts
from scale_app.ui.findings import findings_panel
from scale_app.ui.meant import Part, Text
from scale_app.views.view import AlertRow, ErrorRow, Happening, PodRow, RunView


def panel(title: str, *inside: Part, note: Text = "", look: str = "") -> Part:
    """A card with a heading and, below it, a quiet line."""
    return rx.el.section(
        rx.el.div(rx.el.h2(title), rx.el.p(note, class_name="quiet"), class_name="panel-head"),
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
        rx.el.div(
            panel("Share per pod", charts.shares_chart(view.shares), note=view.shares.caption),
            panel(
                "Score over time",
                charts.score_chart(view.times),
                charts.legend(
                    ("line", "since the start"), ("line-second", "last seconds"), ("threshold", "even from 0.95")
                ),
            ),
            panel(
                "Requests per second",
                charts.rate_chart(view.times),
                charts.legend(("line", "requests"), ("line-failures", "failures")),
            ),
            panel(
                "Latency in milliseconds",
                charts.latency_chart(view.times),
                charts.legend(("line-second", "p50"), ("line", "p95"), ("line-dotted", "p99")),
            ),
            class_name="pair",
        ),
        pod_table(view),
        rx.el.div(happened(view), errors(view), class_name="pair"),
        class_name="panels",
    )


def notices(view: RunView) -> Part:
    """What must not be missed: an alert, invented counts, why a run failed."""
    return rx.el.div(
        rx.cond(
            view.source == "simulated",
            rx.el.div(
                rx.icon("flask-conical", size=18, aria_hidden=True),
                rx.el.span(rx.el.strong("Simulated. "), view.source_note),
                class_name="notice",
                data_testid="simulated-notice",
            ),
        ),
        rx.cond(
            view.message != "",
            rx.el.div(
                rx.icon("circle-alert", size=18, aria_hidden=True),
                rx.el.span(view.message, data_testid="run-message"),
                class_name=rx.cond(view.state == "failed", "notice notice-bad", "notice"),
            ),
        ),
        rx.foreach(view.alerts, _alert),
        class_name="notices",
        aria_live="polite",
    )


def _alert(alert: AlertRow) -> Part:
    return rx.el.div(
        rx.icon("triangle-alert", size=18, aria_hidden=True),
        rx.el.span(rx.el.strong(alert.title, ". "), alert.message),
        class_name="notice notice-alert",
        data_testid="alert",
    )


def verdict_card(view: RunView) -> Part:
    """Score, grade, the verdict as a sentence, and the headline figures."""
    figures = view.figures
    return rx.el.section(
        charts.gauge(figures),
        rx.el.div(
            rx.el.div(
                rx.el.h2("Balance"),
                rx.el.span(figures.kind_text, class_name="badge", data_kind=figures.kind, data_testid="verdict"),
                class_name="head-line",
            ),
            rx.el.p(
                rx.cond(figures.sentence != "", figures.sentence, "Waiting for the first answers from the pods."),
                class_name="sentence",
                data_testid="sentence",
            ),
            charts.scale_strip(figures),
            rx.el.dl(
                figure("Requests", figures.requests, figures.requests_note, "requests"),
                figure("Requests per second", figures.rate, figures.rate_note, "rate"),
                figure("Spread (CV)", figures.cv, figures.cv_note, "cv"),
                figure("Latency p95", figures.p95, figures.p95_note, "p95"),
                figure("Failures", figures.failures, figures.failures_note, "failures"),
                class_name="figures",
            ),
            class_name="verdict-text",
        ),
        class_name="card verdict",
        aria_label="Balance",
    )


def figure(label: str, value: Text, note: Text, name: str) -> Part:
    """One headline figure."""
    return rx.el.div(
        rx.el.dt(label),
        rx.el.dd(value, class_name="figure-value", data_testid=f"figure-{name}"),
        rx.el.dd(note, class_name="quiet"),
        class_name="figure",
    )


COLUMNS = (
    ("Pod", ""),
    ("Node", "wide"),
    ("Requests", "number narrow-off"),
    ("Share", ""),
    ("Against fair", "number"),
    ("Connections", "number wide"),
    ("Requests/s", "number wide"),
    ("p95", "number wide"),
    ("Failures", "number wide"),
    ("State", ""),
)


def pod_table(view: RunView) -> Part:
    """Every pod with its figures."""
    return panel(
        "Pods",
        rx.cond(view.pods, _pod_rows(view), rx.el.p("No pod has given its name yet.", class_name="quiet")),
        note=view.pods_note,
    )


def _pod_rows(view: RunView) -> Part:
    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*[rx.el.th(text, class_name=look, scope="col") for text, look in COLUMNS])),
            rx.el.tbody(rx.foreach(view.pods, _pod_row)),
            class_name="table",
            data_testid="pods",
        ),
        class_name="table-box",
        tab_index=0,
        role="region",
        aria_label="Table of pods",
    )


def _pod_row(pod: PodRow) -> Part:
    return rx.el.tr(
        rx.el.th(pod.name, class_name="mono", scope="row"),
        rx.el.td(pod.node, class_name="wide"),
        rx.el.td(pod.requests, class_name="number narrow-off"),
        rx.el.td(
            rx.el.span(
                rx.el.span(rx.el.span(class_name="meter-fill", style={"width": pod.bar}), class_name="meter"),
                pod.share,
                class_name="meter-box",
            ),
        ),
        rx.el.td(pod.against, class_name="number against"),
        rx.el.td(pod.connections, class_name="number wide"),
        rx.el.td(pod.rate, class_name="number wide"),
        rx.el.td(pod.p95, class_name="number wide"),
        rx.el.td(pod.failures, class_name="number wide"),
        rx.el.td(rx.el.span(pod.state, class_name="badge pod-state")),
        data_outlier=pod.outlier,
        data_testid="pod",
        key=pod.name,
    )


def happened(view: RunView) -> Part:
    """The run's events, newest first."""
    return panel(
        "What happened",
        rx.cond(
            view.happened,
            rx.el.ol(rx.foreach(view.happened, _happening), class_name="happened", data_testid="happened"),
            rx.el.p("Nothing yet: alerts, pods that come and go, and changes of the load.", class_name="quiet"),
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
