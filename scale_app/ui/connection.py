"""What a page says when what it shows may be old: the server is gone, is silent, or is another version by now."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors  # type: ignore[import-untyped]

from scale_app.ui.build_id import BUILD_ID
from scale_app.ui.meant import Part
from scale_app.ui.state import Follower

LOST: Any = has_connection_errors
"""True, in the browser, from the first failed try to reach the server until one succeeds."""


def connection_notices() -> Part:
    """At most one line for the connection, and one for an upgrade."""
    return rx.el.div(rx.cond(LOST, _lost(), _silent()), _upgraded(), role="status", class_name="connection")


def _lost() -> Part:
    return _notice(
        "wifi-off",
        "The server cannot be reached. ",
        "The page tries again by itself; what it shows is from before. A running test is not stopped by this page.",
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
                "No news from the server. ",
                "The connection is open but silent; what the page shows may be old.",
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
            _notice("refresh-cw", "Scale was upgraded. ", "This page is of an earlier version.", "upgraded"),
            rx.el.button(
                "Reload the page",
                on_click=rx.call_script("window.location.reload()"),
                type="button",
                class_name="button small",
                data_testid="reload",
            ),
            class_name="upgraded",
        ),
    )


def _notice(icon: str, title: str, text: str, name: str) -> Part:
    return rx.el.div(
        rx.icon(icon, size=16, aria_hidden=True),
        rx.el.span(rx.el.strong(title), text),
        class_name="connection-notice",
        data_testid=name,
    )
