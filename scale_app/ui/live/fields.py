"""Controls that are bound to a field of the plan: they show what the form holds, write into it, and say when it is
wrong. name: of the field in domain/plan_fields.py, which has its label and unit; word: another test id than its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Any

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.callers import is_refused, refused
from scale_app.ui.plan.state import SLIDERS, PlanForm
from scale_app.ui.reflex_compat import Flag, Handler, Part
from scale_app.ui.shown.state import ShownRun
from scale_app.views.plan_fields import FIELDS, PLAN_FIELDS, PlanField


def slider(name: str, **more: Any) -> Part:
    """A number with a slider over round stops."""
    field = FIELDS[name]
    slide: Handler = PlanForm.slide
    return controls.number_slider(
        field.word,
        field.control_label,
        field.control_unit,
        getattr(PlanForm, name),
        PlanForm.at_stop[name],
        len(SLIDERS[name]) - 1,
        writes(name),
        slide(name),
        wrong=_wrong(name),
        **more,
    )


def live_slider(name: str, **more: Any) -> Part:
    """A slider whose number, once it stands, changes the load that is running, if one is."""
    settle: Handler = PlanForm.settle
    settled = settle(name, ShownRun.run_id, ShownRun.active)
    disabled = rx.cond(ShownRun.active, is_refused("edit"), is_refused("start"))
    title = rx.cond(ShownRun.active, refused("edit"), refused("start"))
    return slider(name, on_settled=settled, disabled=disabled, title=title, **more)


def number(name: str, locked: Flag, word: str = "") -> Part:
    """A number on one line."""
    return _entry(controls.small_entry, name, locked, word, unit=FIELDS[name].control_unit)


def line(name: str, locked: Flag) -> Part:
    """A line of text."""
    return _entry(controls.text_entry, name, locked)


def lines(name: str, locked: Flag) -> Part:
    """Several lines of text."""
    return _entry(controls.text_area, name, locked, placeholder=FIELDS[name].hint)


def _entry(control: Any, name: str, locked: Flag, word: str = "", **more: Any) -> Part:
    field = FIELDS[name]
    shown, on_type, wrong = getattr(PlanForm, field.key), writes(field.key), _wrong(name)
    return control(word or field.word, field.control_label, shown, on_type, disabled=locked, wrong=wrong, **more)


def choice(name: str, locked: Flag) -> Part:
    """One of the field's choices."""
    field = FIELDS[name]
    return choice_of(name, field.word, field.control_label, field.choices or {}, locked)


def choice_of(
    key: str, word: str, label: str, options: Mapping[Any, tuple[str, str]], locked: Flag, about: Part = None
) -> Part:
    """One of the options, also for a choice that is no field of the plan. about: an info button."""
    return controls.choice(word, label, options, getattr(PlanForm, key), writes(key), disabled=locked, about=about)


_CONTROLS = {"number": number, "line": line, "lines": lines, "choice": choice}


def group_of(group: str, locked: Flag) -> list[Part]:
    """The controls of all fields that stand in a group of the form, in the table's order."""
    return [_placed(field, locked) for field in PLAN_FIELDS if field.group == group]


def fold_of(group: str, title: str, word: str, locked: Flag) -> Part:
    """A group in a fold. word: its test id."""
    return rx.el.details(rx.el.summary(title, data_testid=word), *group_of(group, locked), class_name="fold")


def _placed(field: PlanField, locked: Flag) -> Part:
    control = _CONTROLS[field.control](field.name, locked)
    part = rx.fragment(control, rx.el.p(field.note, class_name="note")) if field.note else control
    if field.only_if is None:
        return part
    key, values = field.only_if
    return rx.cond(reduce(or_, (getattr(PlanForm, key) == value for value in values)), part)


def writes(key: str) -> Handler:
    """Keeps what is typed or chosen in this field."""
    write: Handler = PlanForm.write
    return lambda text: write(key, text)


def _wrong(name: str) -> Flag:
    return PlanForm.problem_field == name
