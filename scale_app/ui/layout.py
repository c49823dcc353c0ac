"""What every page has: the bar at the top with the run's state, the way to the other pages, and the theme switch."""

from __future__ import annotations

from typing import Any, Literal

import reflex as rx

from scale_app.ui.connection import connection_notices
from scale_app.ui.info import info, info_texts
from scale_app.ui.meant import Flag, Part
from scale_app.ui.not_stored import not_stored_notice
from scale_app.ui.state import Follower

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
                aria_label="Pages",
            ),
            rx.el.div(_source_badge(here), _theme_switch(), class_name="top-right"),
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
