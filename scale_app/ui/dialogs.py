"""The browser's own dialogs, opened by a button's attributes: they hold the focus, close on Escape, and what is behind
them cannot be used."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.reflex_compat import Part, Text


def opens(name: str) -> dict[str, str]:
    """Attributes of a button that opens the dialog."""
    return {"command": "show-modal", "commandfor": name}


def closes(name: str) -> dict[str, str]:
    """Attributes of a button that closes it."""
    return {"command": "close", "commandfor": name}


def close(name: str) -> Any:
    """What closes it once the server has done what was asked."""
    return rx.call_script(f"document.getElementById({name!r}).close()")


def dialog(name: str, title: Text, *inside: Part, buttons: list[Part]) -> Part:
    """A question with its buttons, Cancel before them. name: its id and its test id."""
    cancel = controls.button("Cancel", rx.noop(), f"{name}-cancel", custom_attrs=closes(name))
    return rx.el.dialog(
        rx.el.h2(title, id=f"{name}-title"),
        *inside,
        rx.el.div(cancel, *buttons, class_name="buttons"),
        id=name,
        aria_labelledby=f"{name}-title",
        class_name="dialog",
        data_testid=name,
    )
