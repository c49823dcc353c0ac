"""Causes that fit the numbers, what to change; the second run that would decide between them, and what it decided."""

from __future__ import annotations

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.display import info
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.shown.state import Follower
from scale_app.views.view import FindingRow, RunView


def findings_panel(view: RunView) -> Part:
    """The causes that fit; a quiet line when none does though there is something to explain; else nothing."""
    return rx.cond(
        view.findings,
        rx.el.section(
            rx.el.h2("Likely causes", info("findings")),
            rx.el.div(
                rx.foreach(view.findings, _finding),
                class_name="findings",
                tab_index=0,
                role="region",
                aria_label="List of causes",
            ),
            class_name="card findings-card",
            aria_label="Likely causes",
            data_testid="findings",
        ),
        rx.cond(
            view.findings_note != "",
            rx.el.p(view.findings_note, class_name="card quiet-card quiet", data_testid="no-findings"),
        ),
    )


def _finding(finding: FindingRow) -> Part:
    return rx.el.article(
        rx.el.div(
            rx.el.h3(finding.title),
            rx.el.span(finding.certainty_text, class_name="badge", data_certainty=finding.certainty),
            class_name="head-line",
        ),
        rx.el.p(finding.cause),
        rx.el.p(finding.evidence, class_name="quiet"),
        rx.el.p(rx.el.strong("What to do: "), finding.remedy),
        rx.cond(finding.patch != "", _patch(finding)),
        class_name="finding",
        data_testid="finding",
        data_code=finding.code,
        key=finding.code,
    )


def _patch(finding: FindingRow) -> Part:
    patch = controls.to_copy(
        finding.patch,
        "Patch for " + finding.title,
        "Copy the patch for " + finding.title,
        "The patch was copied.",
        "copy-patch",
    )
    return rx.el.details(rx.el.summary("Manifest patch"), patch, class_name="fold")


def experiment_panel(follow_by_address: bool = False) -> Part:
    """What the shown run decided, or which second run would decide it. follow_by_address: on a run's own page."""
    return rx.fragment(_conclusion(), _offer(follow_by_address))


def _conclusion() -> Part:
    sequel = Follower.sequel
    return rx.cond(
        sequel.first_id != "",
        rx.el.section(
            rx.el.h2(rx.cond(sequel.conclusion != "", "Result of the experiment", "Experiment")),
            rx.cond(sequel.conclusion != "", rx.el.p(sequel.conclusion, data_testid="conclusion")),
            rx.cond(sequel.sentence != "", rx.el.p(sequel.sentence, class_name="quiet")),
            rx.el.p(
                rx.link("Show the first run", href="/runs/" + sequel.first_id, data_testid="first-run"),
                rx.cond(
                    sequel.conclusion != "",
                    rx.link("Compare both runs", href=sequel.compare_href, data_testid="to-compare"),
                ),
                class_name="links",
            ),
            class_name="card stack",
            aria_label="Experiment",
        ),
    )


def _offer(follow_by_address: bool) -> Part:
    run: Handler = PlanForm.experiment
    return rx.cond(
        Follower.sequel.reason != "",
        rx.el.section(
            rx.el.div(
                rx.el.h2("Decide with a second run"),
                rx.el.p(Follower.sequel.reason, data_testid="experiment-reason"),
                class_name="stack",
            ),
            controls.button(
                rx.cond(PlanForm.starting, "Starting…", "Run the experiment"),
                run(Follower.view.run_id, follow_by_address),
                "experiment",
                icon="flask-conical",
                disabled=PlanForm.starting,
            ),
            class_name="card offer",
            aria_label="Decide with a second run",
        ),
    )
