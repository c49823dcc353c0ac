"""The "i" beside a figure: a popover that says what it means, how it is computed and where it comes from.

The browser's own popovers are used: keyboard, Escape and a click elsewhere work without a script, and an update of the
figures does not touch them. Every page carries all texts once; any number of buttons may open the same one.
"""

from __future__ import annotations

import reflex as rx

from scale_app.ui.meant import Part, Text
from scale_app.views.meanings import MEANINGS, Meaning


def info(about: str) -> Part:
    """The button. about: a key of MEANINGS. Raises KeyError for any other when the page is built."""
    return rx.el.button(
        rx.icon("info", size=14, aria_hidden=True),
        type="button",
        class_name="info",
        aria_label=f"About: {MEANINGS[about].name}",
        custom_attrs={"popoverTarget": _id(about)},
        data_testid=f"info-{about}",
    )


def explained(text: Text, about: str) -> Part:
    """A heading or label with its button."""
    return rx.el.span(text, info(about), class_name="explained")


def info_texts() -> Part:
    """What the buttons open; once on every page."""
    return rx.el.div(*[_text(about, meaning) for about, meaning in MEANINGS.items()], class_name="info-texts")


def _text(about: str, meaning: Meaning) -> Part:
    formula = [rx.el.dt("Formula"), rx.el.dd(meaning.formula, class_name="formula")] if meaning.formula else []
    return rx.el.div(
        rx.el.p(rx.el.strong(meaning.name), id=f"{_id(about)}-name"),
        rx.el.p(meaning.meaning),
        rx.el.dl(*formula, rx.el.dt("Source"), rx.el.dd(meaning.source)),
        id=_id(about),
        role="dialog",
        aria_labelledby=f"{_id(about)}-name",
        class_name="info-text",
        custom_attrs={"popover": "auto"},
        data_testid=f"meaning-{about}",
    )


def _id(about: str) -> str:
    return f"about-{about.replace('_', '-')}"
