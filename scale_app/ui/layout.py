"""What every page has: the bar with the run's state, the other pages and the theme; what is wrong with connection
or storing, below it."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import reflex as rx

from scale_app import wiring
from scale_app.ui import BUILD_ID
from scale_app.ui.callers import WhoAsks, is_refused, who_asks
from scale_app.ui.controls import button
from scale_app.ui.display import empty_card, info, info_texts, notice
from scale_app.ui.reflex_compat import Flag, Part, lost_connection
from scale_app.ui.shown.state import Follower

MODES: tuple[tuple[Literal["system", "light", "dark"], str, str], ...] = (
    ("system", "System", "monitor"),
    ("light", "Light", "sun"),
    ("dark", "Dark", "moon"),
)
SHOW_A_RUN = ("Live", "Run")


def page(*inside: Part, here: str) -> Part:
    """A whole page. here: its name in the navigation."""
    return rx.fragment(
        rx.el.a("Skip to content", href="#content", class_name="skip"),
        rx.el.header(
            rx.el.a(rx.icon("scale", size=22, aria_hidden=True), rx.el.span("Scale"), href="/", class_name="brand"),
            _state_chip(here),
            rx.el.nav(
                _link("Live", "/", here),
                _link("Runs", "/runs", here),
                _link("Targets", "/targets", here),
                _link_if_allowed("tokens", "Tokens", "/tokens", here),
                _link_if_allowed("audit_entries", "Audit", "/audit", here),
                aria_label="Pages",
            ),
            rx.el.div(_source_badge(here), who_asks(), _theme_switch(), class_name="top-right"),
            class_name="top",
        ),
        connection_notices(),
        not_stored_notice(),
        rx.el.main(*inside, id="content", class_name="content"),
        info_texts(),
        rx.cond(Follower.ready, rx.el.span(hidden=True, data_testid="connected")),
    )


def _link(text: str, to: str, here: str) -> Part:
    current: dict[str, str] = {"aria_current": "page"} if text == here else {}
    return rx.link(text, href=to, class_name="nav-link", data_testid=f"nav-{text.lower()}", **current)


def _link_if_allowed(action: str, text: str, to: str, here: str) -> Part:
    """Only once it is known who asks, and may do this."""
    return rx.cond((WhoAsks.role != "") & ~is_refused(action), _link(text, to, here))


def _told(here: str) -> Flag:
    """Whether the bar speaks of the run: where it is shown, and elsewhere for as long as it sends load."""
    view: Any = Follower.view
    return view.run_id != "" if here in SHOW_A_RUN else view.active


def _state_chip(here: str) -> Part:
    view = Follower.view
    return rx.cond(
        _told(here),
        rx.el.span(
            rx.el.span(class_name="dot", aria_hidden=True),
            rx.el.span(view.state_text, data_testid="run-state"),
            rx.el.span(view.progress.elapsed, class_name="tabular"),
            class_name="chip",
            data_state=view.state,
        ),
    )


def _source_badge(here: str) -> Part:
    view = Follower.view
    return rx.cond(
        _told(here),
        rx.el.span(
            rx.el.span(
                view.source_text,
                class_name="badge source",
                title=view.source_note,
                data_source=view.source,
                data_testid="source",
            ),
            info("counts_source"),
            class_name="explained told-source",
        ),
    )


def _theme_switch() -> Part:
    return rx.el.div(
        *[
            rx.el.button(
                rx.icon(icon, size=16, aria_hidden=True),
                on_click=rx.style.set_color_mode(mode),
                type="button",
                aria_label=f"{text} theme",
                aria_pressed=rx.style.color_mode == mode,
                title=f"{text} theme",
                data_testid=f"theme-{mode}",
            )
            for mode, text, icon in MODES
        ],
        class_name="switch",
        role="group",
        aria_label="Colour theme",
    )


def connection_notices() -> Part:
    """At most one line for the connection, and one for an upgrade."""
    return rx.el.div(
        rx.cond(lost_connection(), _lost(), _silent()), _upgraded(), role="status", class_name="connection"
    )


def _lost() -> Part:
    return _notice(
        "wifi-off",
        "The server cannot be reached. ",
        "The page reconnects by itself. Until then it shows old figures. A lost connection does not stop a run. "
        "If this stays, reload the page: you may have to sign in again.",
        "lost",
    )


def _silent() -> Part:
    """Each sign of life replaces the element, which begins anew to wait before it shows itself: no script counts.

    A run sends a sign of life each second; without one the server sends one every few seconds.
    """
    return rx.cond(
        Follower.beat > 0,
        rx.el.div(
            _notice(
                "hourglass",
                "No data from the server. ",
                "The connection is open, but nothing arrives. The figures on this page may be out of date.",
                "silent",
            ),
            class_name=rx.cond(Follower.view.active, "silence", "silence silence-idle"),
            key=Follower.beat,
        ),
    )


def _upgraded() -> Part:
    return rx.cond(
        (Follower.build != "") & (Follower.build != BUILD_ID),
        rx.el.div(
            _notice("refresh-cw", "Scale was upgraded. ", "This page is from an older version.", "upgraded"),
            button("Reload the page", rx.call_script("window.location.reload()"), "reload", look="small"),
            class_name="upgraded",
        ),
    )


def _notice(icon: str, title: str, text: str, name: str) -> Part:
    said = rx.el.span(rx.el.strong(title), text)
    return notice(icon, said, look="connection-notice", size=16, data_testid=name)


LOOK_EVERY_S = 1.0


class NotStored(rx.State):
    """problem: why what happens is not stored yet, "" when it is."""

    problem: str = ""

    @rx.event(background=True, supersedes=True)
    async def watch(self) -> None:
        """Runs for as long as the tab is open, whatever else the page follows: a run's end is no end of its storing."""
        told = None
        while True:
            problem = wiring.hub().storing.problem
            if problem != told:
                async with self:
                    self.problem = told = problem
            await asyncio.sleep(LOOK_EVERY_S)


def not_stored_notice() -> Part:
    return rx.cond(
        NotStored.problem != "",
        notice(
            "database",
            rx.el.span(NotStored.problem),
            look="not-stored",
            size=16,
            role="status",
            data_testid="not-stored",
        ),
    )


def nowhere_page() -> Part:
    """Every address at which there is no page."""
    return page(
        empty_card(
            "search-x",
            rx.el.h1("There is no page at this address"),
            rx.el.p("The link may be incomplete, or of another version of Scale."),
            rx.el.p(
                rx.link("Live load test", href="/"),
                rx.link("All runs", href="/runs"),
                rx.link("API", href="/api/docs", custom_attrs={"reloadDocument": True}),
                class_name="links",
            ),
            data_testid="nowhere",
        ),
        here="",
    )
