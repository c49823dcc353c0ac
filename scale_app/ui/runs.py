"""The page of all runs, newest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.run import RunRecord
from scale_app.domain.verdict import VerdictKind
from scale_app.ui import controls
from scale_app.ui.layout import page
from scale_app.ui.meant import Handler, Part
from scale_app.views import format as shown
from scale_app.views.comparing import compare_href
from scale_app.views.words import SOURCES, STATES, VERDICTS

PAGE_SIZE = 50


@dataclass(frozen=True)
class RunRow:
    """One run in the table."""

    run_id: str
    when: str
    target: str
    plan: str
    source: str
    source_text: str
    kind: str
    verdict: str
    score: str
    grade: str
    requests: str
    state: str
    state_text: str


class RunList(rx.State):
    """The runs that this tab has loaded."""

    rows: rx.Field[list[RunRow]] = rx.field(default_factory=list)
    chosen: rx.Field[list[str]] = rx.field(default_factory=list)
    more: bool = False
    ready: bool = False
    problem: str = ""

    @rx.event
    async def load(self) -> Any:
        """The newest runs."""
        self.rows, self.chosen = [], []
        return await self._load()

    @rx.event
    async def load_more(self) -> Any:
        """The next older ones."""
        return await self._load()

    @rx.event
    def choose(self, run_id: str, wanted: bool) -> None:
        """Two runs at most: a third takes the place of the one chosen first."""
        kept = [chosen for chosen in self.chosen if chosen != run_id]
        self.chosen = [*kept, run_id][-2:] if wanted else kept

    @rx.event
    def compare(self) -> Any:
        """The older run is the first."""
        older_first = [row.run_id for row in reversed(self.rows) if row.run_id in self.chosen]
        return rx.redirect(compare_href(*older_first)) if len(older_first) == 2 else None

    async def _load(self) -> Any:
        try:
            records = await wiring.hub().runs(PAGE_SIZE + 1, len(self.rows))
        except ScaleError as error:
            self.problem, self.ready = str(error), True
            return rx.toast.error(str(error))
        self.rows = [*self.rows, *(run_row(record) for record in records[:PAGE_SIZE])]
        self.more, self.ready, self.problem = len(records) > PAGE_SIZE, True, ""
        return None


def run_row(record: RunRecord) -> RunRow:
    """A record as a row of the table."""
    last = record.last
    kind = last.verdict.kind if last else VerdictKind.NO_DATA
    return RunRow(
        run_id=record.run_id,
        when=shown.moment(record.created_at_epoch_s),
        target=record.plan.target_url,
        plan=f"{shown.count(record.plan.users)} users, {shown.span(record.plan.duration_s)}",
        source=record.source.value,
        source_text=SOURCES[record.source][0],
        kind=kind.value,
        verdict=VERDICTS[kind],
        score=shown.score(last.balance.score if last else None),
        grade=(last.balance.grade or "") if last else "",
        requests=shown.count(last.requests if last else None),
        state=record.state.value,
        state_text=STATES[record.state],
    )


def runs_page() -> Part:
    """`/runs`"""
    return page(
        rx.el.section(
            rx.el.div(
                rx.el.div(rx.el.h1("Runs"), rx.el.p("Newest first", class_name="quiet"), class_name="panel-head"),
                rx.cond(
                    RunList.rows,
                    controls.button(
                        "Compare two",
                        RunList.compare,
                        "compare",
                        icon="git-compare-arrows",
                        disabled=RunList.chosen.length() != 2,
                    ),
                ),
                class_name="row",
            ),
            rx.cond(RunList.problem != "", rx.el.p(RunList.problem, class_name="problem", role="alert")),
            rx.cond(RunList.rows, _table(), rx.cond(RunList.ready, _nothing(), rx.fragment())),
            rx.cond(
                RunList.more,
                rx.el.button("Show older runs", on_click=RunList.load_more, class_name="button", data_testid="older"),
            ),
            class_name="card wide-card",
            aria_label="Runs",
        ),
        here="Runs",
    )


def _table() -> Part:
    heads = (
        ("Compare", ""),
        ("When", ""),
        ("Target", ""),
        ("Plan", "wide"),
        ("Counts", "wide"),
        ("Verdict", ""),
        ("Score", "number"),
        ("Requests", "number wide"),
        ("State", ""),
    )
    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*[rx.el.th(text, class_name=look, scope="col") for text, look in heads])),
            rx.el.tbody(rx.foreach(RunList.rows, _row)),
            class_name="table",
            data_testid="runs",
        ),
        class_name="table-box",
        tab_index=0,
        role="region",
        aria_label="Table of runs",
    )


def _row(row: RunRow) -> Part:
    choose: Handler = RunList.choose
    return rx.el.tr(
        rx.el.td(
            rx.el.input(
                type="checkbox",
                checked=RunList.chosen.contains(row.run_id),
                on_change=lambda wanted: choose(row.run_id, wanted),
                aria_label="Compare the run of " + row.when,
                class_name="tick",
                data_testid="choose",
            ),
            class_name="tick-cell",
        ),
        rx.el.td(rx.link(row.when, href="/runs/" + row.run_id, class_name="tabular")),
        rx.el.td(row.target, class_name="mono target"),
        rx.el.td(row.plan, class_name="wide"),
        rx.el.td(rx.el.span(row.source_text, class_name="badge source", data_source=row.source), class_name="wide"),
        rx.el.td(rx.el.span(row.verdict, class_name="badge", data_kind=row.kind)),
        rx.el.td(row.score, rx.el.span(" ", row.grade, class_name="quiet"), class_name="number"),
        rx.el.td(row.requests, class_name="number wide"),
        rx.el.td(row.state_text),
        data_testid="run",
    )


def _nothing() -> Part:
    return rx.el.p("No run yet. ", rx.link("Go to the live page", href="/"), " and press Start.", data_testid="empty")
