"""Form controls that are labelled, keyboard-operable and take typed numbers as well as a dragged thumb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import reflex as rx

from scale_app.ui.reflex_compat import Figure, Flag, Handler, Part, Text, slider_parts

slider = slider_parts()
THROTTLE_MS = 60
TYPING_MS = 150
NOTHING: Handler = rx.noop()


def typed(entry: Part) -> Part:
    """An entry that keeps what is typed, and tells it after a short pause, on Enter and on leaving.

    Otherwise the browser would show the server's value until its next answer, and lose what is typed in between.
    """
    return rx.debounce_input(entry, debounce_timeout=TYPING_MS)


def on_enter(act: Handler) -> Any:
    """For an entry's `on_key_down`: Enter does what the button beside it does."""
    return lambda key: rx.cond(key == "Enter", act, rx.noop())


def number_slider(
    name: str,
    label: str,
    unit: str,
    text: Text,
    at: Figure,
    last_stop: Figure,
    on_type: Handler,
    on_slide: Handler,
    on_settled: Handler = NOTHING,
    note: Text = "",
    disabled: Flag = False,
    wrong: Flag = False,
    **group: Any,
) -> Part:
    """A slider over round stops and an entry for any number. name: its test id; on_settled: when a value stands;
    group: of both together, such as title."""
    more = {"disabled": disabled, "wrong": wrong}
    number = _number_entry(f"{name}-entry", unit, text, on_type, on_settled, "entry-box", **more)
    return rx.el.div(
        rx.el.div(rx.el.label(label, html_for=f"{name}-entry", id=f"{name}-label"), number, class_name="row"),
        slider.root(
            slider.track(slider.range(class_name="slider-range"), class_name="slider-track"),
            slider.thumb(
                class_name="slider-thumb",
                aria_labelledby=f"{name}-label",
                aria_valuetext=text + f" {unit}",
                data_testid=f"{name}-slider",
            ),
            value=at,
            min=0,
            max=last_stop,
            step=1,
            disabled=disabled,
            on_value_change=on_slide.throttle(THROTTLE_MS),
            # Throttling drops the last change, so the committed value counts once more.
            on_value_commit=[on_slide, on_settled],
            class_name="slider",
        ),
        rx.fragment() if isinstance(note, str) and note == "" else rx.el.p(note, class_name="note"),
        class_name="field",
        **group,
    )


def small_entry(
    name: str, label: str, value: Text, on_type: Handler, unit: str = "", on_settled: Handler = NOTHING, **more: Any
) -> Part:
    """A number on one line with its label. on_settled: as for `number_slider`; more: as for `entry`."""
    number = _number_entry(name, unit, value, on_type, on_settled, "entry-box solo", **more)
    return labelled(name, label, number, look="field row-field")


def text_entry(name: str, label: str, value: Text, on_type: Handler, **more: Any) -> Part:
    """A labelled line of text. more: as for `entry`."""
    looks: dict[str, Any] = {"type": "text", "auto_complete": "off", "spell_check": False, "class_name": "input"}
    return labelled(name, label, entry(rx.el.input, name, value, on_type, **looks, **more))


def text_area(name: str, label: str, value: Text, on_type: Handler, rows: int = 3, **more: Any) -> Part:
    """Several labelled lines of text. more: as for `entry`."""
    looks: dict[str, Any] = {"rows": str(rows), "spell_check": False, "class_name": "input area mono"}
    return labelled(name, label, entry(rx.el.textarea, name, value, on_type, **looks, **more))


def labelled(name: str, label: str, *inside: Part, look: str = "field") -> Part:
    """A control below its label. name: the control's id."""
    return rx.el.div(rx.el.label(label, html_for=name), *inside, class_name=look)


def _number_entry(
    name: str, unit: str, value: Text, on_type: Handler, on_settled: Handler, look: str, **more: Any
) -> Part:
    """Where a number is typed, before its unit. on_settled: when it stands, on leaving and on Enter."""
    looks = {"type": "text", "input_mode": "decimal", "auto_complete": "off", "class_name": "entry"}
    settling = {"on_blur": on_settled, "on_key_down": on_enter(on_settled)}
    number = entry(rx.el.input, name, value, on_type, **looks, **settling, **more)
    return rx.el.span(number, rx.el.span(unit, class_name="unit"), class_name=look)


def entry(
    element: Any, name: str, value: Text, on_type: Handler, wrong: Flag = False, about: str = "problem", **more: Any
) -> Part:
    """name: its id and its test id; about: id of what tells why it is wrong; more: of the element, such as disabled."""
    return typed(
        element(
            id=name,
            value=value,
            on_change=on_type,
            aria_invalid=wrong,
            aria_describedby=about,
            data_testid=name,
            **more,
        )
    )


def choice(
    name: str,
    label: str,
    options: Mapping[Any, tuple[str, str]],
    value: Text,
    on_choose: Handler,
    about: Part = None,
    **more: Any,
) -> Part:
    """A labelled list to choose from, with a sentence about what is chosen. about: an info button; more: of the list,
    such as disabled."""
    sentences = [(str(key), sentence) for key, (_, sentence) in options.items()]
    return rx.el.div(
        rx.el.span(rx.el.label(label, html_for=name), about or rx.fragment(), class_name="explained"),
        rx.el.select(
            *[rx.el.option(text, value=str(key)) for key, (text, _) in options.items()],
            id=name,
            value=value,
            on_change=on_choose,
            class_name="input",
            aria_describedby=f"{name}-note",
            data_testid=name,
            **more,
        ),
        rx.el.p(rx.match(value, *sentences, ""), class_name="note", id=f"{name}-note"),
        class_name="field",
    )


def button(text: Text, on_click: Handler, name: str, look: str = "", icon: str = "", **more: Any) -> Part:
    """A button. look: "primary" for the one main action of a page. name: its test id."""
    return rx.el.button(
        rx.icon(icon, size=14 if "small" in look else 16, aria_hidden=True) if icon else rx.fragment(),
        text,
        on_click=on_click,
        type="button",
        class_name=f"button {look}".strip(),
        data_testid=name,
        **more,
    )


def search(name: str, label: str, text: Text, on_type: Handler, **more: Any) -> Part:
    """An entry that narrows a list. name: its test id; text: what it begins with."""
    return rx.el.input(
        default_value=text,
        on_change=on_type,
        type="search",
        placeholder=label,
        aria_label=label,
        class_name="input",
        data_testid=name,
        **more,
    )


def stop_button(stop: Handler, stopping: Flag, **more: Any) -> Part:
    """Also while a run is stopping: pressed again, it kills a load that does not end."""
    return rx.fragment(
        button(rx.cond(stopping, "Force stop", "Stop"), stop, "stop", icon="square", **more),
        rx.cond(
            stopping,
            rx.el.p(
                "Waiting for requests in flight. If the run does not end, press Force stop.",
                class_name="note",
                role="status",
                data_testid="stopping",
            ),
        ),
    )


def to_copy(text: Text, label: Text, what: Text, told: str, name: str) -> Part:
    """A text with a button that copies it. label: of the text; what: of the button; told: what is said when it was."""
    copy = [rx.set_clipboard(text), rx.toast.info(told)]
    return rx.el.div(
        rx.el.pre(text, class_name="mono", tab_index=0, aria_label=label),
        button("Copy", copy, name, look="small", icon="copy", aria_label=what),
        class_name="patch",
    )
