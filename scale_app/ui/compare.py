"""The page that compares runs with one reference: what differs, and whether by more than chance."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.ui.callers import if_allowed
from scale_app.ui.display import empty_card, explained, heads, local_time, table
from scale_app.ui.layout import page
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.runs.actions import RunAgain
from scale_app.ui.shown.panels import panel
from scale_app.ui.shown.verdict import strip
from scale_app.views.comparing import (
    MOST_RUNS,
    NO_COMPARISON,
    CompareCell,
    ComparedRun,
    CompareRow,
    CompareView,
    compare_view,
)

SAME_PLAN = "All runs use the same plan. What no plan holds, such as the policy of the demo's balancer, may differ."


class ComparePage(rx.State):
    """The comparison that this tab's address asks for."""

    view: CompareView = NO_COMPARISON
    problem: str = ""
    ready: bool = False

    @rx.event
    async def load(self) -> None:
        """Hold the runs of the address against the first of them."""
        self.view, self.problem, self.ready = NO_COMPARISON, "", True
        asked = self.router.url.query_parameters.get("ids", "").split(",")
        ids = list(dict.fromkeys(part for part in asked if part))
        if len(ids) < 2:
            return
        if len(ids) > MOST_RUNS:
            self.problem = f"The address names {len(ids)} runs; at most {MOST_RUNS} can be compared at once."
            return
        hub = wiring.hub()
        try:
            reference = await hub.run(ids[0])
            others = [(await hub.run(other), await hub.compare(ids[0], other)) for other in ids[1:]]
        except ScaleError as error:
            self.problem = str(error)
        else:
            self.view = compare_view(reference, others)


def compare_page() -> Part:
    """`/compare?ids=reference,other,...`"""
    view: Any = ComparePage.view
    return page(
        rx.cond(
            view.sides,
            _comparison(view),
            rx.cond(ComparePage.ready, _nothing(), rx.el.div(class_name="skeleton skeleton-page", role="status")),
        ),
        here="Compare",
    )


def _comparison(view: Any) -> Part:
    shares = _runs_table("Pod", view.pods, view, "compared-pods", bars=True)
    latency = _runs_table("Percentile", view.latency, view, "compared-latency")
    plans = _runs_table("Setting", view.plan, view, "compared-plan")
    same_plan = rx.el.p(
        "All runs use the same plan. What it does not hold, such as the policy of the demo, may differ.",
        class_name="quiet",
    )
    return rx.el.div(
        _headline(view),
        _scores(view),
        rx.cond(view.comparable, panel("Share per pod", shares, note=view.pods_note, about="share")),
        rx.el.div(
            rx.cond(view.comparable, panel("Latency", latency, note="Last 10 s of each run", about="latency")),
            panel("Plans", rx.cond(view.plan, plans, same_plan)),
            class_name="pair",
        ),
        class_name="panels",
        data_testid="comparison",
    )


def _headline(view: Any) -> Part:
    remarks = rx.foreach(view.remarks, lambda remark: rx.el.li(remark))
    return rx.el.section(
        rx.link("← All runs", href="/runs", class_name="back"),
        rx.el.div(
            rx.el.h1(view.title),
            rx.cond(view.sentence != "", rx.foreach(view.sides, _changed)),
            class_name="head-line",
        ),
        rx.cond(
            view.sentence != "",
            rx.el.p(view.sentence, class_name="sentence", data_testid="compare-sentence"),
            rx.el.ul(rx.foreach(view.sides, _sentence), class_name="sentences", data_testid="compare-sentences"),
        ),
        rx.cond(view.conclusion != "", rx.el.p(view.conclusion, data_testid="conclusion")),
        rx.cond(view.remarks, rx.el.ul(remarks, class_name="remarks", data_testid="remarks")),
        class_name="card stack",
        aria_label="Result",
    )


def _changed(side: ComparedRun) -> Part:
    badge = rx.el.span(side.changed_text, class_name="badge", data_changed=side.changed, data_testid="changed")
    return rx.cond(side.is_reference, rx.fragment(), badge)


def _sentence(side: ComparedRun) -> Part:
    sentence = rx.el.li(rx.el.strong(side.label, " "), _changed(side), " ", side.sentence)
    return rx.cond(side.is_reference, rx.fragment(), sentence)


def _scores(view: Any) -> Part:
    """Every run's score on one scale, and its difference from the reference."""
    ticks = rx.foreach(view.ticks, lambda tick: rx.el.span(tick.label, style={"left": tick.at}))
    scale = rx.el.div(ticks, class_name="scale-ticks tabular")
    return panel(
        "Scores",
        table(
            "Table of scores",
            heads(
                ("Run", ""),
                (explained("Verdict", "verdict"), ""),
                (explained("Score", "score"), "number"),
                (explained("Interval", "interval"), "scale-cell"),
                (explained("Change", "changed"), ""),
                (explained("Difference", "difference"), "wide"),
            ),
            rx.el.tbody(rx.foreach(view.sides, lambda side: _score_row(side, view))),
            rx.el.tfoot(
                rx.el.tr(
                    rx.el.td(col_span=3),
                    rx.el.td(scale, class_name="scale-cell"),
                    rx.el.td(),
                    rx.el.td(class_name="wide"),
                ),
                aria_hidden=True,
            ),
            look="scores-table",
            name="compared-scores",
        ),
        note="Bar: interval, chance removed. Dot: measured score. Line: 0.95",
    )


def _score_row(side: ComparedRun, view: Any) -> Part:
    reference = rx.el.span("Reference", class_name="quiet")
    changed = rx.el.span(side.changed_text, class_name="badge", data_changed=side.changed)
    return rx.el.tr(
        rx.el.th(_run(side), scope="row"),
        rx.el.td(rx.el.span(side.figures.kind_text, class_name="badge", data_kind=side.figures.kind)),
        rx.el.td(
            rx.el.span(side.figures.score, data_testid="compared-score"),
            rx.el.span(" ", side.figures.grade, class_name="quiet"),
            class_name="number",
        ),
        rx.el.td(strip(side.figures, side, view.threshold), class_name="scale-cell"),
        rx.el.td(rx.cond(side.is_reference, reference, changed)),
        rx.el.td(rx.cond(side.is_reference, "", _difference(side)), class_name="wide"),
        key=side.run_id,
        data_testid="side",
    )


def _difference(side: ComparedRun) -> Part:
    return rx.fragment(
        rx.el.div(side.difference, class_name="tabular"),
        rx.link(
            "Use as reference",
            href=side.make_reference,
            class_name="back no-print",
            custom_attrs={"aria-label": "Make " + side.label + " the reference"},
            data_testid="make-reference",
        ),
    )


def _run(side: ComparedRun) -> Part:
    rerun: Handler = RunAgain.rerun
    return rx.el.div(
        rx.el.span(side.label, class_name="run-letter"),
        rx.el.div(
            rx.link(local_time(side.created_at_epoch_s), href="/runs/" + side.run_id),
            rx.el.div(side.target, class_name="mono target", title=side.target),
            rx.el.div(
                rx.el.span(side.source_text, class_name="badge source", data_source=side.source, data_testid="source"),
                rx.cond(side.baseline != "", rx.el.span("Baseline: " + side.baseline, class_name="badge baseline")),
                class_name="under",
            ),
            rx.el.button(
                "Run again",
                on_click=rerun(side.run_id),
                type="button",
                class_name="link-button no-print",
                aria_label="Run " + side.label + " again",
                data_testid="compared-rerun",
                **if_allowed("rerun"),
            ),
        ),
        class_name="run-name",
    )


def _nothing() -> Part:
    return empty_card(
        "git-compare-arrows",
        rx.el.h1("Nothing to compare"),
        rx.cond(
            ComparePage.problem != "",
            rx.el.p(ComparePage.problem, role="alert", data_testid="problem"),
            rx.el.p("Select two or more runs in the list and press Compare."),
        ),
        rx.link("Show all runs", href="/runs"),
        data_testid="empty",
    )


def _runs_table(head: str, rows: Any, view: Any, name: str, bars: bool = False) -> Part:
    """A table with a column for each run. bars: the figures are shares."""

    def cell(figure: CompareCell) -> Part:
        if not bars:
            return rx.el.td(figure.text)
        return rx.el.td(_share(figure), custom_attrs={"data-outlier": figure.outlier})

    def row(figures: CompareRow) -> Part:
        return rx.el.tr(
            rx.el.th(figures.name, scope="row", class_name="mono" if bars else ""),
            rx.foreach(figures.cells, cell),
        )

    sides = rx.foreach(view.sides, lambda side: rx.el.th(side.label, scope="col"))
    return table(
        f"Table: {head.lower()} in all runs",
        rx.el.thead(rx.el.tr(rx.el.th(head, scope="col"), sides)),
        rx.el.tbody(rx.foreach(rows, row)),
        look="compared",
        name=name,
        box="bounded",
    )


def _share(figure: CompareCell) -> Part:
    return rx.el.span(
        rx.el.span(rx.el.span(class_name="meter-fill", style={"width": figure.bar}), class_name="meter"),
        figure.text,
        rx.match(figure.outlier, ("over", " ▲"), ("under", " ▼"), ""),
        class_name="meter-box tabular",
    )
