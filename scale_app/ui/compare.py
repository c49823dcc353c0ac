"""The page that holds two runs against each other."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.ui import charts
from scale_app.ui.layout import page
from scale_app.ui.meant import Part, Text
from scale_app.ui.panels import panel
from scale_app.views.comparing import NO_COMPARISON, CompareView, PairRow, Side, compare_view


class Compared(rx.State):
    """The comparison that this tab's address asks for."""

    view: CompareView = NO_COMPARISON
    problem: str = ""
    ready: bool = False

    @rx.event
    async def load(self) -> None:
        """Compare the two runs of the address."""
        self.view, self.problem, self.ready = NO_COMPARISON, "", True
        ids = [part for part in self.router.url.query_parameters.get("ids", "").split(",") if part]
        if len(ids) != 2:
            return
        hub = wiring.hub()
        try:
            compared = await hub.compare(ids[0], ids[1])
            self.view = compare_view(compared, await hub.run(ids[0]), await hub.run(ids[1]))
        except ScaleError as error:
            self.problem = str(error)


def compare_page() -> Part:
    """`/compare?ids=first,second`"""
    view: Any = Compared.view
    return page(
        rx.cond(view.sides, _comparison(view), rx.cond(Compared.ready, _nothing(), rx.fragment())),
        here="Compare",
    )


def _comparison(view: Any) -> Part:
    return rx.el.div(
        _headline(view),
        rx.el.div(rx.foreach(view.sides, _side), class_name="pair"),
        rx.cond(
            view.comparable,
            rx.el.div(
                panel("Share per pod", _pairs("Pod", view.pods, "compared-pods", bars=True), note=view.pods_note),
                panel(
                    "Latency",
                    _pairs("Percentile", view.latency, "compared-latency"),
                    note="Of the last seconds of each run",
                ),
                class_name="pair",
            ),
        ),
        panel(
            "Plans",
            rx.cond(
                view.plan,
                _pairs("What differs", view.plan, "compared-plan"),
                rx.el.p("Both runs had the same plan.", class_name="quiet"),
            ),
        ),
        class_name="panels",
        data_testid="comparison",
    )


def _headline(view: Any) -> Part:
    return rx.el.section(
        rx.link("← All runs", href="/runs", class_name="back"),
        rx.el.div(
            rx.el.h1("Two runs compared"),
            rx.el.span(view.changed_text, class_name="badge", data_changed=view.changed, data_testid="changed"),
            class_name="head-line",
        ),
        rx.el.p(view.sentence, class_name="sentence", data_testid="compare-sentence"),
        rx.cond(view.conclusion != "", rx.el.p(view.conclusion, data_testid="conclusion")),
        rx.cond(
            view.remarks,
            rx.el.ul(
                rx.foreach(view.remarks, lambda remark: rx.el.li(remark)), class_name="remarks", data_testid="remarks"
            ),
        ),
        class_name="card stack",
        aria_label="Result",
    )


def _side(side: Side) -> Part:
    figures = side.figures
    return rx.el.section(
        rx.el.div(
            rx.el.h2(side.label),
            rx.el.span(figures.kind_text, class_name="badge", data_kind=figures.kind),
            rx.link(side.when, href="/runs/" + side.run_id, class_name="tabular"),
            class_name="head-line",
        ),
        rx.el.p(side.target, class_name="mono"),
        rx.el.p(
            rx.el.span(figures.score, class_name="figure-value"),
            rx.cond(figures.grade != "", " Grade " + figures.grade, ""),
            class_name="tabular",
            data_testid="compared-score",
        ),
        charts.scale_strip(figures),
        class_name="card stack",
        aria_label=side.label,
    )


def _pairs(head: str, rows: Any, name: str, bars: bool = False) -> Part:
    """A table of figures of both runs. bars: the figures are shares."""

    def row(pair: PairRow) -> Part:
        first, second = (
            (_share(pair.first, pair.first_bar), _share(pair.second, pair.second_bar))
            if bars
            else (pair.first, pair.second)
        )
        return rx.el.tr(rx.el.th(pair.name, scope="row", class_name="mono"), rx.el.td(first), rx.el.td(second))

    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*[rx.el.th(text, scope="col") for text in (head, "First run", "Second run")])),
            rx.el.tbody(rx.foreach(rows, row)),
            class_name="table",
            data_testid=name,
        ),
        class_name="table-box bounded",
        tab_index=0,
        role="region",
        aria_label=f"Table: {head.lower()} in both runs",
    )


def _share(text: Text, bar: Text) -> Part:
    return rx.el.span(
        rx.el.span(rx.el.span(class_name="meter-fill", style={"width": bar}), class_name="meter"),
        text,
        class_name="meter-box tabular",
    )


def _nothing() -> Part:
    return rx.el.section(
        rx.el.h1("Nothing to compare"),
        rx.cond(
            Compared.problem != "",
            rx.el.p(Compared.problem, role="alert", data_testid="problem"),
            rx.el.p("Choose two runs in the list of runs and press Compare."),
        ),
        rx.link("See all runs", href="/runs"),
        class_name="card empty",
        data_testid="empty",
    )
