"""The look: one accent, grays, and amber for the outlier alone. Colours and sizes are in assets/scale.css."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.meant import Part

THEME = rx.theme(accent_color="indigo", gray_color="slate", radius="medium", has_background=False)
OVERLAY = (5, "Overlay")
"""The key under which Reflex wraps the app in its own messages about the connection."""
STYLESHEETS = ["/scale.css"]


def head() -> list[Part]:
    """What every page's head holds beside Reflex's own."""
    return [
        rx.el.link(rel="icon", href="/favicon.svg", type="image/svg+xml"),
        rx.el.script(src="/readout.js", defer=True),
    ]
