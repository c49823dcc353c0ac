"""The page of the audit log: who did what to what, when, from where, and whether it was allowed."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.ui import controls
from scale_app.ui.display import heads, problem, table
from scale_app.ui.layout import page
from scale_app.ui.reflex_compat import Flag, Handler, Part
from scale_app.views.access import AuditLine, audit_line
from scale_app.views.presenting import part_text

ON_A_PAGE = 50


class AuditList(rx.State):
    """A page of it. first: how many newer entries there are. part: which of them these are.

    trouble: why it cannot be read.
    """

    lines: rx.Field[list[AuditLine]] = rx.field(default_factory=list)
    first: int = 0
    total: int = 0
    part: str = ""
    ready: bool = False
    trouble: str = ""

    @rx.event
    async def load(self) -> None:
        await self._look(0)

    @rx.event
    async def turn(self, first: int) -> None:
        await self._look(max(0, first))

    async def _look(self, first: int) -> None:
        hub = wiring.hub()
        try:
            self.lines = [audit_line(entry) for entry in await hub.audit_entries(ON_A_PAGE, first)]
            self.total, self.first, self.trouble = await hub.count_audit_entries(), first, ""
            self.part = part_text(first, len(self.lines), self.total)
        except ScaleError as error:
            self.lines, self.total, self.first, self.trouble = [], 0, 0, str(error)
        self.ready = True


def audit_page() -> Part:
    """`/audit`"""
    waiting = rx.el.div(class_name="skeleton skeleton-page", role="status", aria_label="Reading the audit log")
    return page(rx.cond(AuditList.ready, rx.el.div(_entries(), class_name="panels"), waiting), here="Audit")


def _entries() -> Part:
    head = heads(("When", ""), ("Who", ""), ("Role", ""), ("Did", ""), ("To", ""), ("Outcome", ""), ("From", "wide"))
    rows = rx.el.tbody(rx.foreach(AuditList.lines, _line))
    none = rx.el.p("Nothing has been changed yet.", class_name="quiet")
    listed = rx.fragment(table("Table of entries", head, rows, look="audit-table", name="audit"), _pages())
    return rx.el.section(
        rx.el.h1("Audit log"),
        rx.el.p("Every change, and everything that was refused, newest first.", class_name="quiet"),
        rx.cond(
            AuditList.trouble != "", problem(AuditList.trouble, "audit-problem"), rx.cond(AuditList.lines, listed, none)
        ),
        class_name="card",
        aria_label="Audit log",
    )


def _line(line: AuditLine) -> Part:
    return rx.el.tr(
        rx.el.td(line.at, class_name="tabular"),
        rx.el.th(line.who, scope="row"),
        rx.el.td(line.role, class_name="quiet"),
        rx.el.td(line.action),
        rx.el.td(line.subject, class_name="mono"),
        rx.el.td(
            rx.cond(
                line.why == "", line.outcome, rx.el.span(line.outcome, class_name="badge", data_outcome=line.outcome)
            ),
            rx.cond(line.why != "", rx.el.span(line.why)),
        ),
        rx.el.td(line.address, class_name="wide mono"),
        data_testid="audit-row",
        data_outcome=line.outcome,
    )


def _pages() -> Part:
    is_last: Any = AuditList.first + ON_A_PAGE >= AuditList.total
    return rx.el.div(
        rx.el.span(AuditList.part, class_name="quiet tabular"),
        rx.cond(
            AuditList.total > ON_A_PAGE,
            rx.fragment(
                _turn("Newer", AuditList.first - ON_A_PAGE, "newer", AuditList.first == 0),
                _turn("Older", AuditList.first + ON_A_PAGE, "older", is_last),
            ),
        ),
        class_name="paging no-print",
    )


def _turn(text: str, first: Any, name: str, disabled: Flag) -> Part:
    turn: Handler = AuditList.turn
    return controls.button(text, turn(first), name, look="small", disabled=disabled)
