"""The page of tokens: made here, shown once, listed with their owner and end, revoked."""

from __future__ import annotations

import time
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.identity import Role
from scale_app.service.access import DAYS
from scale_app.ui import controls
from scale_app.ui.callers import WhoAsks
from scale_app.ui.display import heads, notice, problem, refusal, table, unseen
from scale_app.ui.layout import page
from scale_app.ui.reflex_compat import Handler, Part, Text
from scale_app.ui.shown.panels import panel
from scale_app.views import format as shown
from scale_app.views.access import TokenLine, token_line

ROLES = {
    Role.VIEWER: ("viewer", "Looks at runs and exports them."),
    Role.OPERATOR: ("operator", "Also starts, edits and stops runs, saves plans, sets baselines."),
    Role.ADMIN: ("admin", "Also deletes runs, revokes everybody's tokens and reads the audit log."),
}


class TokensPage(rx.State):
    """What the tab typed, what came back. text: of the token that was made last, until the page is opened again.

    wrong: why none was made; wrong_days: for its days.

    asked: the token that is about to be revoked, "" for none. trouble: why the list cannot be read.
    """

    lines: rx.Field[list[TokenLine]] = rx.field(default_factory=list)
    ready: bool = False
    name: str = ""
    role: str = Role.VIEWER.value
    days: str = shown.plain(DAYS)
    wrong: str = ""
    wrong_days: bool = False
    text: str = ""
    asked: str = ""
    trouble: str = ""

    @rx.event
    async def load(self) -> None:
        self.text = self.asked = self.wrong = ""
        await self._look()

    @rx.event
    def type_name(self, text: str) -> None:
        self.name = text

    @rx.event
    def type_days(self, text: str) -> None:
        self.days = text

    @rx.event
    def choose_role(self, role: str) -> None:
        self.role = role

    @rx.event
    async def make(self) -> None:
        """Make a token; its text is shown until the page is left."""
        self.text = ""
        try:
            made = await wiring.hub().make_token(self.name.strip(), Role(self.role), _days(self.days))
        except (ScaleError, ValueError) as error:
            self.wrong = str(error) if isinstance(error, ScaleError) else f"{self.days[:40]!r} is not a number of days."
            self.wrong_days = not isinstance(error, ScaleError) or getattr(error, "field", "") == "days"
            return
        self.text, self.wrong, self.name = made.text, "", ""
        await self._look()

    @rx.event
    def ask(self, token_id: str) -> None:
        """Revoking cannot be undone, so it is asked once more. token_id: "" to leave it."""
        self.asked = token_id

    @rx.event
    async def revoke(self, token_id: str) -> Any:
        self.asked = ""
        try:
            await wiring.hub().revoke_token(token_id)
        except ScaleError as error:
            return refusal(error)
        await self._look()
        return rx.toast.success("The token was revoked.")

    async def _look(self) -> None:
        now_s = time.time()
        try:
            self.lines = [token_line(token, now_s) for token in await wiring.hub().tokens()]
            self.trouble = ""
        except ScaleError as error:
            self.lines, self.trouble = [], str(error)
        self.ready = True


def _days(text: str) -> float:
    """Raises ValueError."""
    return float(text.strip().replace(",", ""))


def tokens_page() -> Part:
    """`/tokens`"""
    waiting = rx.el.div(class_name="skeleton skeleton-page", role="status", aria_label="Reading the tokens")
    return page(
        rx.cond(TokensPage.ready, rx.el.div(_tokens(), _new(), class_name="panels"), waiting),
        here="Tokens",
    )


def _tokens() -> Part:
    head = heads(
        ("Name", ""), ("Role", ""), ("Owner", "wide"), ("State", ""), ("Last used", "wide"), (unseen("Revoke"), "")
    )
    rows = rx.el.tbody(rx.foreach(TokensPage.lines, _line))
    none = rx.el.p("No tokens yet. Programs such as pipelines are known by them.", class_name="quiet")
    return rx.el.section(
        rx.el.h1("Tokens"),
        rx.cond(TokensPage.lines, rx.el.p(_whose(), class_name="quiet")),
        rx.cond(TokensPage.trouble != "", problem(TokensPage.trouble, "tokens-problem")),
        rx.cond(TokensPage.lines, table("Table of tokens", head, rows, look="tokens-table", name="tokens"), none),
        class_name="card",
        aria_label="Tokens",
    )


def _whose() -> Text:
    return rx.cond(WhoAsks.role == Role.ADMIN.value, "Everybody's, newest first.", "Your own, newest first.")


def _line(line: TokenLine) -> Part:
    return rx.el.tr(
        rx.el.th(line.name, rx.el.div(line.token_id, class_name="mono token-id"), scope="row"),
        rx.el.td(line.role),
        rx.el.td(line.owner, class_name="wide"),
        rx.el.td(rx.cond(line.valid, line.state, rx.el.span(line.state, class_name="quiet"))),
        rx.el.td(line.used, class_name="wide tabular"),
        rx.el.td(rx.cond(line.valid, _revoke(line)), class_name="numeric"),
        data_testid="token-row",
        key=line.token_id,
    )


def _revoke(line: TokenLine) -> Part:
    ask: Handler = TokensPage.ask
    revoke: Handler = TokensPage.revoke
    about = "Revoke " + line.name
    sure = rx.el.div(
        controls.button("Revoke", revoke(line.token_id), "confirm-revoke", look="small danger", aria_label=about),
        controls.button("Keep", ask(""), "keep", look="small", aria_label="Keep " + line.name),
        class_name="buttons",
    )
    first = controls.button("Revoke …", ask(line.token_id), "revoke", look="small", aria_label=about)
    return rx.cond(TokensPage.asked == line.token_id, sure, first)


def _new() -> Part:
    form = TokensPage
    wrong = form.wrong != ""
    wrong_days = wrong & form.wrong_days
    return panel(
        "New token",
        rx.cond(form.text != "", _shown_once()),
        rx.el.div(
            controls.text_entry(
                "token-name", "Name", form.name, form.type_name, wrong=wrong & ~wrong_days, about="token-problem"
            ),
            rx.match(WhoAsks.role, *((role.value, _roles_up_to(role)) for role in Role), _roles_up_to(Role.VIEWER)),
            controls.small_entry(
                "token-days",
                "Expires after",
                form.days,
                form.type_days,
                "days",
                wrong=wrong_days,
                about="token-problem",
            ),
            rx.cond(wrong, problem(form.wrong, "token-problem", id="token-problem")),
            rx.el.div(controls.button("Make token", form.make, "make-token", look="primary"), class_name="buttons"),
            class_name="new-token",
        ),
    )


def _roles_up_to(role: Role) -> Part:
    """A choice of the roles that whoever has this one can give."""
    offered = {each: told for each, told in ROLES.items() if role.includes(each)}
    return controls.choice("token-role", "Role", offered, TokensPage.role, TokensPage.choose_role)


def _shown_once() -> Part:
    copied = "Token copied."
    return rx.el.div(
        notice("key-round", rx.el.span("Copy the token now: it is not shown again."), role="status"),
        controls.to_copy(TokensPage.text, "The new token", "Copy the new token", copied, "copy-token"),
        class_name="made-token",
        data_testid="new-token",
    )
