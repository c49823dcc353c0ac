"""Controls that are bound to a field of the plan: they show what the form holds, write into it, and say when it is
wrong. field: of `Intent`; wrong: the plan's own name for it, where that is another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx

from scale_app.ui.elements import controls
from scale_app.ui.elements.types import Flag, Handler, Part
from scale_app.ui.plan.state import SLIDERS, Intent
from scale_app.ui.shown.state import Shown


def slider(field: str, name: str, label: str, unit: str, wrong: str = "", **more: Any) -> Part:
    """A number with a slider over round stops. name: its test id."""
    slide: Handler = Intent.slide
    return controls.number_slider(
        name,
        label,
        unit,
        getattr(Intent, field),
        getattr(Intent, f"{field}_at"),
        len(SLIDERS[field]) - 1,
        writes(field),
        slide(field),
        wrong=_wrong(wrong or field),
        **more,
    )


def live_slider(field: str, name: str, label: str, unit: str, **more: Any) -> Part:
    """A slider whose number, once it stands, changes the load that is running, if one is."""
    settle: Handler = Intent.settle
    return slider(field, name, label, unit, on_settled=settle(field, Shown.run_id, Shown.active), **more)


def number(field: str, name: str, label: str, unit: str, running: Flag, wrong: str = "") -> Part:
    """A number on one line."""
    return controls.small_entry(
        name, label, unit, getattr(Intent, field), writes(field), disabled=running, wrong=_wrong(wrong or field)
    )


def line(field: str, name: str, label: str, running: Flag, **more: Any) -> Part:
    """A line of text."""
    return controls.text_entry(
        name, label, getattr(Intent, field), writes(field), disabled=running, wrong=_wrong(field), **more
    )


def lines(field: str, name: str, label: str, running: Flag, wrong: str = "", **more: Any) -> Part:
    """Several lines of text."""
    return controls.text_area(
        name, label, getattr(Intent, field), writes(field), disabled=running, wrong=_wrong(wrong or field), **more
    )


def choice(
    field: str, name: str, label: str, options: Mapping[Any, tuple[str, str]], running: Flag, about: Part = None
) -> Part:
    """One of the options. about: an info button."""
    return controls.choice(name, label, options, getattr(Intent, field), writes(field), disabled=running, about=about)


def note(text: str) -> Part:
    """A sentence about the control before it."""
    return rx.el.p(text, class_name="note")


def writes(field: str) -> Handler:
    """Keeps what is typed or chosen in this field."""
    write: Handler = Intent.write
    return lambda text: write(field, text)


def _wrong(field: str) -> Flag:
    return Intent.problem_field == field
