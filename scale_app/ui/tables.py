"""What the page's tables have in common: their heads, and a box in which a wide one is moved sideways."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.meant import Part, Text


def table_box(label: str, table: Part, look: str = "") -> Part:
    """The table in a box that can be scrolled, also by keyboard. label: what a screen reader says of it."""
    return rx.el.div(table, class_name=f"table-box {look}".strip(), tab_index=0, role="region", aria_label=label)


def heads(*texts: tuple[Part, str]) -> Part:
    """The row of heads. texts: (what it says, class of the stylesheet)."""
    return rx.el.thead(rx.el.tr(*[rx.el.th(text, scope="col", class_name=look) for text, look in texts]))


def unseen(text: Text) -> Part:
    """A head that only a screen reader says."""
    return rx.el.span(text, class_name="sr-only")
