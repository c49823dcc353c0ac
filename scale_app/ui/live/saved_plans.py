"""Plans that people keep under a name, and the form's plan as text to copy, paste and keep beside code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.codec.plan_text import plan_from_text
from scale_app.domain.errors import ScaleError
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed
from scale_app.ui.dialogs import closes, dialog, opens
from scale_app.ui.display import problem, refusal
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.plan.texts import check_yaml, yaml_of
from scale_app.ui.reflex_compat import Flag, Handler, Part

DELETE_DIALOG = "delete-plan-dialog"


def told(handler: Callable[..., Awaitable[str]]) -> Any:
    """An event that ends with a toast: the sentence that the handler returns, or why it was refused."""

    @wraps(handler)
    async def event(form: SavedPlansForm, *args: Any, **given: Any) -> Any:
        try:
            done = await handler(form, *args, **given)
        except ScaleError as error:
            form.problem = str(error)
            return refusal(error)
        form.problem = ""
        return rx.toast.success(done) if done else None

    return rx.event(event)


class SavedPlansForm(rx.State):
    """names: of the plans of this installation. name: the one chosen, or to be given. text: a plan as YAML."""

    names: rx.Field[list[str]] = rx.field(default_factory=list)
    name: str = ""
    text: str = ""
    problem: str = ""

    @rx.event
    async def look(self) -> None:
        try:
            self.names, self.problem = [saved.name for saved in await wiring.hub().plans()], ""
        except ScaleError as error:
            self.problem = str(error)

    @rx.event
    def write_name(self, name: str) -> None:
        self.name = name

    @rx.event
    def write_text(self, text: str) -> None:
        self.text = text

    @told
    async def choose(self, name: str) -> str:
        if not name:
            return ""
        saved = await wiring.hub().plan(name)
        self.name = name
        await (await self.get_state(PlanForm)).take(saved.plan)
        return f"Plan {name} loaded."

    @told
    async def save(self) -> str:
        """Keep the form's plan under the typed name."""
        saved = await wiring.hub().save_plan(self.name.strip(), (await self.get_state(PlanForm)).plan())
        self.name = saved.name
        self.names = [plan.name for plan in await wiring.hub().plans()]
        return f"Plan saved as {saved.name}."

    @told
    async def delete(self, name: str) -> str:
        """The one that was asked about, whatever was typed meanwhile."""
        await wiring.hub().delete_plan(name)
        self.names, self.name = [plan.name for plan in await wiring.hub().plans()], ""
        return f"Plan {name} deleted."

    @told
    async def show_text(self) -> str:
        self.text = await yaml_of((await self.get_state(PlanForm)).plan())
        return ""

    @told
    async def read_text(self) -> str:
        check_yaml(self.text, "file")
        plan = await asyncio.to_thread(plan_from_text, self.text)
        await (await self.get_state(PlanForm)).take(plan)
        return "Plan loaded from the text."


def saved_plans_fold(running: Flag) -> Part:
    """Load, save, delete; and the plan as text."""
    form = SavedPlansForm
    return rx.el.details(
        rx.el.summary("Saved plans", data_testid="saved-plans"),
        rx.cond(form.names, _load(running), rx.el.p("No saved plans yet.", class_name="note")),
        controls.text_entry("plan-name", "Name", form.name, form.write_name, on_key_down=controls.on_enter(form.save)),
        rx.el.div(
            # Never out of reach: the server hears of a name a moment after it was typed, and refuses with a sentence.
            controls.button("Save", form.save, "save-plan", look="small", **if_allowed("save_plan")),
            controls.button(
                "Delete …",
                rx.noop(),
                "delete-plan",
                look="small",
                custom_attrs=opens(DELETE_DIALOG),
                **if_allowed("delete_plan"),
            ),
            class_name="quick",
        ),
        _delete_dialog(),
        controls.text_area("plan-text", "Plan as text", form.text, form.write_text, rows=6),
        rx.el.div(
            controls.button("Show the form as text", form.show_text, "show-plan-text", look="small"),
            controls.button("Load into the form", form.read_text, "read-plan-text", look="small", disabled=running),
            class_name="quick",
        ),
        problem(form.problem, "plan-problem"),
        class_name="fold",
    )


def _delete_dialog() -> Part:
    """Deleting cannot be undone, so it is asked once more."""
    form = SavedPlansForm
    saved = form.names.contains(form.name)
    delete: Handler = form.delete
    told = rx.cond(
        saved,
        rx.fragment("It is deleted for everybody, and that cannot be undone. Runs that were made with it stay."),
        rx.fragment("No plan is saved under this name."),
    )
    delete_it = controls.button(
        "Delete",
        delete(form.name),
        "confirm-delete-plan",
        look="danger",
        disabled=~saved,
        custom_attrs=closes(DELETE_DIALOG),
    )
    title = rx.cond(form.name != "", 'Delete the plan "' + form.name + '"?', "Delete which plan?")
    return dialog(DELETE_DIALOG, title, rx.el.p(told), buttons=[delete_it])


def _load(running: Flag) -> Part:
    form = SavedPlansForm
    choose = rx.el.select(
        rx.el.option("Choose …", value=""),
        rx.foreach(form.names, lambda name: rx.el.option(name, value=name)),
        id="saved-plan",
        value=rx.cond(form.names.contains(form.name), form.name, ""),
        on_change=form.choose,
        disabled=running,
        class_name="input",
        data_testid="saved-plan",
    )
    return controls.labelled("saved-plan", "Load a saved plan", choose)
