"""The look: one accent, grays, and amber for the outlier alone. Colours and sizes are in assets/scale.css."""

from __future__ import annotations

import reflex as rx

THEME = rx.theme(accent_color="indigo", gray_color="slate", radius="medium", has_background=False)
STYLESHEETS = ["/scale.css"]
