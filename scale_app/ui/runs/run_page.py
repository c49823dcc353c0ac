"""One run by its permanent address: the live panels, frozen when it is over, its plan, and what can be done with it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import RunFilter, outline_of
from scale_app.reports.formats import FORMATS
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed, why_not
from scale_app.ui.controls import stop_button
from scale_app.ui.dialogs import opens
from scale_app.ui.display import empty_card, info, local_text, local_time, problem
from scale_app.ui.layout import page
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.plan.texts import yaml_of
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.runs.actions import (
    BASELINE_DIALOG,
    DELETE_DIALOG,
    BaselineMarking,
    RunAgain,
    baseline_dialog,
    delete_dialog,
    delete_run,
)
from scale_app.ui.shown.panels import happened, panel, run_head, run_panels
from scale_app.ui.shown.state import Follower, run_of_path
from scale_app.ui.shown.verdict import checks_panel, experiment_panel, findings_of
from scale_app.views.presenting import NO_ROW, RunListRow, run_row
from scale_app.views.view import RunView

MOST_BASELINES = 5


class OneRunPage(BaselineMarking, rx.State):
    """The run of this tab's address. baselines: other runs of the same target that are marked as one."""

    row: RunListRow = NO_ROW
    plan_text: str = ""
    baselines: rx.Field[list[RunListRow]] = rx.field(default_factory=list)

    @rx.event
    async def load(self) -> None:
        """Look the run up. That it is unknown is told by the page's figures, which are asked for as well."""
        self.row, self.plan_text, self.baselines = NO_ROW, "", []
        with suppress(ScaleError):
            await self._look_again()

    @rx.event
    async def delete(self, run_id: str) -> list[Any]:
        """Forget the run; there is nothing left to see here then."""
        return await delete_run(run_id, rx.redirect("/runs"))

    async def _look_again(self) -> None:
        hub = wiring.hub()
        record = await hub.run(run_of_path(self.router.url.path))
        self.row = run_row(outline_of(record))
        self.plan_text = await yaml_of(record.plan) if record.plan_known else ""
        # Before the dialog opens: a name that comes a moment later would take the place of what is typed by then.
        self._ask_name(self.row.baseline_hint)
        # Last, since a run in memory is shown also while the database does not answer.
        marked = await hub.runs(MOST_BASELINES + 1, 0, RunFilter(target=record.plan.target_url, marked=True))
        self.baselines = [run_row(other) for other in marked if other.run_id != record.run_id][:MOST_BASELINES]


def run_page() -> Part:
    """`/runs/[run_id]`"""
    view = Follower.view
    loading = rx.el.div(
        rx.el.div(class_name="skeleton skeleton-side"),
        rx.el.div(class_name="skeleton skeleton-page"),
        class_name="columns",
        role="status",
        aria_label="Loading the run",
    )
    return page(
        rx.cond(
            view.run_id != "",
            rx.el.div(
                rx.el.div(_head(view), _downloads(view), _plan(view), class_name="side"),
                rx.el.div(
                    rx.cond(
                        view.active | view.has_data,
                        rx.fragment(run_head(view, experiment_panel(follow_by_address=True)), run_panels(view)),
                        _nothing_measured(view),
                    ),
                    class_name="main-column",
                ),
                class_name="columns",
            ),
            rx.cond(Follower.ready, _unknown(), loading),
        ),
        delete_dialog(OneRunPage.row, OneRunPage.delete),
        baseline_dialog(OneRunPage.row, OneRunPage),
        here="Run",
    )


def _head(view: RunView) -> Part:
    row = OneRunPage.row
    return rx.el.section(
        rx.link("← All runs", href="/runs", class_name="back"),
        rx.el.h1("Run of ", rx.el.span(view.target, class_name="mono")),
        rx.cond(
            row.baseline != "",
            rx.el.p(
                rx.icon("flag", size=14, aria_hidden=True),
                rx.el.span("Baseline: " + row.baseline, data_testid="baseline"),
                info("baseline"),
                class_name="with-icon",
            ),
        ),
        rx.el.dl(
            _line("Run", rx.el.span(view.run_id, class_name="mono", data_testid="run-id")),
            _line("Started", rx.cond(row.run_id != "", local_time(row.created_at_epoch_s), "…")),
            rx.cond(row.by != "", _line("Started by", rx.el.span(row.by, data_testid="started-by"))),
            _line("State", rx.el.span(view.state_text, class_name="run-state", data_state=view.state)),
            _line("Elapsed", view.progress.elapsed + " of " + view.progress.total),
            _line("Counted by", view.source_text),
            class_name="plan tabular",
        ),
        _actions(view),
        problem(PlanForm.problem),
        class_name="card form",
        aria_label="Run",
    )


def _line(label: str, value: Part) -> Part:
    return rx.el.div(rx.el.dt(label), rx.el.dd(value))


def _actions(view: RunView) -> Part:
    stop: Handler = PlanForm.stop
    rerun: Handler = RunAgain.rerun
    again = rerun(OneRunPage.row.run_id).throttle(3_000)
    of_ended_runs = (
        controls.button(
            "Baseline",
            rx.noop(),
            "mark",
            icon="flag",
            custom_attrs=opens(BASELINE_DIALOG),
            **if_allowed("mark_baseline"),
        ),
        controls.button(
            "Delete",
            rx.noop(),
            "delete",
            icon="trash-2",
            custom_attrs=opens(DELETE_DIALOG),
            **if_allowed("delete"),
        ),
    )
    buttons = rx.el.div(
        rx.cond(view.active, stop_button(stop(view.run_id), view.state == "stopping", **if_allowed("stop"))),
        controls.button("Run again", again, "rerun", icon="rotate-cw", **if_allowed("rerun")),
        rx.cond(~view.active, rx.fragment(*of_ended_runs)),
        rx.foreach(OneRunPage.baselines, _against),
        class_name="stacked-buttons no-print",
    )
    return rx.fragment(buttons, why_not("rerun"))


def _against(baseline: RunListRow) -> Part:
    return rx.link(
        rx.icon("git-compare-arrows", size=16, aria_hidden=True),
        "Compare with " + baseline.baseline,
        href="/compare?ids=" + baseline.run_id + "," + Follower.view.run_id,
        title="The baseline of " + local_text(baseline.created_at_epoch_s),
        class_name="button",
        data_testid="against-baseline",
    )


_FILE_NAMES = {
    "json": "JSON",
    "csv": "CSV, pods",
    "seconds": "CSV, seconds",
    "junit": "JUnit",
    "markdown": "Markdown",
    "html": "HTML, offline",
}


def _downloads(view: RunView) -> Part:
    """The run as files; the browser asks the API for them."""
    return rx.el.section(
        rx.el.h2("Export"),
        rx.el.ul(
            *[
                rx.el.li(
                    rx.el.a(
                        rx.icon("download", size=14, aria_hidden=True),
                        _FILE_NAMES[name],
                        href=f"/api/v1/runs/{view.run_id}/export?format={name}",
                        download=True,
                        custom_attrs={"reloadDocument": True},  # else the page's router takes it for a page of its own
                        class_name="with-icon",
                        data_testid=f"export-{name}",
                    ),
                    rx.el.span(form.about, class_name="quiet"),
                )
                for name, form in FORMATS.items()
            ],
            class_name="downloads",
        ),
        class_name="card stack no-print",
        aria_label="Export",
    )


def _plan(view: RunView) -> Part:
    lines = rx.foreach(view.plan, lambda line: _line(line.label, line.value))
    return panel(
        "Plan",
        rx.el.dl(lines, class_name="plan", data_testid="plan"),
        rx.el.details(
            rx.el.summary("As text"),
            controls.to_copy(
                OneRunPage.plan_text, "The plan as YAML", "Copy the plan", "The plan was copied.", "copy-plan"
            ),
            class_name="fold",
            data_testid="plan-text",
        ),
    )


def _nothing_measured(view: RunView) -> Part:
    """The run is over and nothing was counted at any pod: why, and what to do, instead of empty pictures."""
    return rx.el.div(
        empty_card(
            "circle-alert",
            rx.el.h2(
                rx.match(
                    view.state,
                    ("failed", "This run failed before any pod was counted"),
                    ("interrupted", "This run was interrupted before any pod was counted"),
                    "No pod was counted in this run",
                )
            ),
            rx.cond(view.message != "", rx.el.p(view.message, role="alert", data_testid="run-message")),
            rx.cond(view.figures.sentence != "", rx.el.p(view.figures.sentence, data_testid="sentence")),
            rx.el.p(
                "Nothing was measured, so there is no score. Fix the cause, then press Run again: the plan is kept.",
                class_name="quiet",
            ),
            data_testid="nothing-measured",
        ),
        checks_panel(),
        rx.cond(view.findings, rx.el.section(findings_of(view), class_name="card", aria_label="Causes")),
        happened(view, "pair"),
        class_name="panels",
    )


def _unknown() -> Part:
    return empty_card(
        "search-x",
        rx.el.h1(rx.cond(Follower.unknown, "Run not found", "The run cannot be read now")),
        rx.el.p(Follower.problem, role="alert", data_testid="problem"),
        rx.cond(Follower.unknown, rx.el.p("It may have been deleted, or the link is incomplete.", class_name="quiet")),
        rx.link("Show all runs", href="/runs"),
    )
