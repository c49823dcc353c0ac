"""The panel of causes: what fits the numbers, how sure that is, and what to change."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.info import info
from scale_app.ui.meant import Part
from scale_app.views.view import FindingRow, RunView


def findings_panel(view: RunView) -> Part:
    """The causes that fit; a quiet line when none does though there is something to explain; else nothing."""
    return rx.cond(
        view.findings,
        rx.el.section(
            rx.el.h2("Why, and what to change", info("findings")),
            rx.el.div(
                rx.foreach(view.findings, _finding),
                class_name="findings",
                tab_index=0,
                role="region",
                aria_label="List of causes",
            ),
            class_name="card findings-card",
            aria_label="Why, and what to change",
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
    return rx.el.details(
        rx.el.summary("Manifest patch"),
        rx.el.div(
            rx.el.pre(finding.patch, class_name="mono", tab_index=0, aria_label="Patch for " + finding.title),
            rx.el.button(
                rx.icon("copy", size=14, aria_hidden=True),
                "Copy",
                on_click=[rx.set_clipboard(finding.patch), rx.toast.info("The patch was copied.")],
                type="button",
                class_name="button small",
                aria_label="Copy the patch for " + finding.title,
                data_testid="copy-patch",
            ),
            class_name="patch",
        ),
        class_name="fold",
    )
