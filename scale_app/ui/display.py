"""What pages show texts with: explanations, tables, the reader's own time, refusals; and the address bar."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.vars import FunctionStringVar

from scale_app.domain.errors import ScaleError
from scale_app.ui.reflex_compat import Figure, Part, Text
from scale_app.views.meanings import MEANINGS, Meaning


def info(about: str) -> Part:
    """The "i" beside a figure: a button that says what it means, how it is computed and where it comes from.

    The browser's own popovers are used: keyboard, Escape and a click elsewhere work without a script, and an update of
    the figures does not touch them. Every page carries all texts once; any number of buttons may open the same one.
    about: a key of MEANINGS. Raises KeyError for any other when the page is built.
    """
    return rx.el.button(
        rx.icon("info", size=14, aria_hidden=True),
        type="button",
        class_name="info",
        aria_label=f"About: {MEANINGS[about].name}",
        custom_attrs={"popoverTarget": _id(about)},
        data_testid=f"info-{about}",
    )


def explaining(label: Text, about: str) -> Part:
    """A figure's label that is itself the button, where a sign beside each would be more than the figures."""
    return rx.el.button(
        label,
        type="button",
        class_name="explaining",
        title=f"About: {MEANINGS[about].name}",
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


def table(
    label: str, *inside: Part, look: str, name: str, box: str = "", of_box: dict[str, Text] | None = None, **more: Any
) -> Part:
    """A table in a box that can be scrolled, also by keyboard. label: what a screen reader says of it.

    look, box: further classes of the table and of its box. name: the table's test id. of_box: attributes of the box.
    """
    return rx.el.div(
        rx.el.table(*inside, class_name=f"table {look}", data_testid=name, **more),
        class_name=f"table-box {box}".strip(),
        tab_index=0,
        role="region",
        aria_label=label,
        custom_attrs=of_box or {},
    )


def heads(*texts: tuple[Part, str]) -> Part:
    """The row of heads. texts: (what it says, class of the stylesheet)."""
    return rx.el.thead(rx.el.tr(*[rx.el.th(text, scope="col", class_name=look) for text, look in texts]))


def notice(icon: str, *said: Part, look: Text = "notice", size: int = 18, **more: Any) -> Part:
    """A line that must not be missed."""
    return rx.el.div(rx.icon(icon, size=size, aria_hidden=True), *said, class_name=look, **more)


def problem(text: Text, name: str = "problem", **more: Any) -> Part:
    """A sentence that says what is wrong, "" when nothing is. name: its test id."""
    return rx.el.p(text, class_name="problem", role="alert", data_testid=name, **more)


def empty_card(icon: str, *inside: Part, size: int = 32, **more: Any) -> Part:
    """In the place of what there is not: why, and what to do."""
    return rx.el.section(rx.icon(icon, size=size, aria_hidden=True), *inside, class_name="card empty", **more)


def unseen(text: Text) -> Part:
    """A head that only a screen reader says."""
    return rx.el.span(text, class_name="sr-only")


# Swedish writes dates as command line and reports do; the zone, which they have in UTC, is the reader's.
STYLE = (
    "{year: 'numeric', month: '2-digit', day: '2-digit', "
    "hour: '2-digit', minute: '2-digit', second: '2-digit', timeZoneName: 'short'}"
)


_LOCAL: Any = FunctionStringVar.create(f"((s) => new Date(s * 1000).toLocaleString('sv-SE', {STYLE}))")
_EXACT: Any = FunctionStringVar.create("((s) => new Date(s * 1000).toISOString())")


def local_text(epoch_s: Figure) -> Any:
    """Text such as "2026-11-24 18:05:09 GMT+1"; a variable. epoch_s: a variable, wall-clock seconds since 1970."""
    return _LOCAL.call(epoch_s).to(str)


def local_time(epoch_s: Figure, **more: Any) -> Part:
    """The moment as an element that tells machines the exact time too."""
    return rx.el.time(local_text(epoch_s), date_time=_EXACT.call(epoch_s).to(str), class_name="tabular", **more)


_WRITE: Any = FunctionStringVar.create("""((name, value, usual) => {
  const url = new URL(window.location.href), chosen = String(value);
  url.searchParams.delete("page");
  if (chosen === usual) url.searchParams.delete(name);
  else url.searchParams.set(name, chosen);
  window.history.replaceState(window.history.state, "", url);
})""")


def in_address(name: str, chosen: Any, usual: str) -> Any:
    """Write a choice into the address; another choice than that of a page leads back to the first page.

    In a chain of events this comes before the one that tells the server, whose answer changes what is shown: so the
    address is never behind it. chosen: a variable of the browser. usual: what is shown when the address says nothing.
    """
    return rx.call_function(_WRITE.partial(name, chosen, usual))


READ_MS = 10_000


def refusal(error: ScaleError) -> Any:
    """The error's sentence as a toast, for as long as it takes to read it."""
    return rx.toast.error(str(error), duration=READ_MS)
