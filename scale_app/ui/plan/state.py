"""What the person wants: the form's texts, kept as typed. Only `LoadPlan` judges them; only the hub acts on them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.target import DEMO_TARGET
from scale_app.pictures.times import pattern_picture
from scale_app.ui.display import refusal
from scale_app.ui.plan.texts import (
    DEFAULT,
    duration_stops,
    extras_of,
    nearest,
    plan_of,
    plan_of_yaml,
    stops,
    texts_of,
    yaml_of,
)
from scale_app.ui.reflex_compat import set_changed
from scale_app.views import format as shown
from scale_app.views.plan_fields import on_the_form
from scale_app.views.words import allowed_sentence

TEXTS = texts_of(DEFAULT)
MOST_ARRIVALS_PER_S = 10_000
SLIDERS = {
    "users": stops(wiring.settings().limits.users),
    "spawn_rate": stops(wiring.settings().limits.spawn_rate),
    "duration_s": duration_stops(wiring.settings().limits.duration_s),
    "arrivals_per_s": stops(MOST_ARRIVALS_PER_S),
}
EDITED = ("users", "spawn_rate", "arrivals_per_s")
"""Fields of a plan that may change while its load runs."""
TYPING_PAUSE_S = 0.4


def _kept_texts() -> Any:
    """A part of a state with a variable for each text of the form.

    The tab keeps them, so that neither a reload nor a restart of the server loses one.
    """
    kept = {key: rx.SessionStorage(text) for key, text in TEXTS.items()}
    own = {"__module__": __name__, "__annotations__": dict.fromkeys(TEXTS, str)}
    return type("KeptTexts", (rx.State,), own | kept, mixin=True)


KeptTexts: Any = _kept_texts()


class PlanForm(KeptTexts, rx.State):
    """The form: a text for each key of TEXTS. A number is a text, so that a wrong one stays until it is put right.

    base: the plan that was loaded, as text; what the form does not show comes from it. extras: names of that.
    starting: from Start until the run is shown. refused: why the last Start began no run, "" when it did.
    preview, preview_area: paths of the pattern.
    adopted: what the running load has of the EDITED fields. is_open: the form is seen beside a run.
    """

    base: str = rx.SessionStorage("")
    extras: str = ""
    preview: str = ""
    preview_area: str = ""
    preview_note: str = ""
    duration_words: str = ""
    answer: str = ""
    answer_good: bool = True
    problem: str = ""
    problem_field: str = ""
    starting: bool = False
    refused: str = ""
    started: str = ""
    is_open: bool = True
    adopted: rx.Field[dict[str, float]] = rx.field(default_factory=dict)

    @rx.var
    def is_demo(self) -> bool:
        return bool(self.target_url.strip() == DEMO_TARGET)

    @rx.var(deps=list(SLIDERS))
    def at_stop(self) -> dict[str, list[int]]:
        """The stop at which each slider stands."""
        return {key: _stop(key, getattr(self, key)) for key in SLIDERS}

    @rx.event
    def look(self) -> None:
        """Judge what the form holds, and draw its pattern; the first thing a page does."""
        self._judge()

    @rx.event
    def write(self, field: str, text: str) -> Any:
        """A text as it is typed, or a choice."""
        if field not in TEXTS:
            return None
        setattr(self, field, text)
        if field == "target_url":
            set_changed(self, service="")
            return PlanForm.ask_about_target
        return self._judge()

    @rx.event
    def slide(self, field: str, at: list[float]) -> None:
        """A slider was moved to one of its stops."""
        if field in SLIDERS and at and 0 <= int(at[0]) < len(SLIDERS[field]):
            setattr(self, field, shown.plain(SLIDERS[field][int(at[0])]))
            self._judge()

    @rx.event
    def choose_service(self, url: str, service: str) -> Any:
        """Load a Service that the cluster showed."""
        set_changed(self, target_url=url, service=service)
        return PlanForm.ask_about_target

    @rx.event
    def choose_demo(self) -> Any:
        """Load the built-in pods."""
        set_changed(self, target_url=DEMO_TARGET, service="")
        return PlanForm.ask_about_target

    @rx.event(background=True, supersedes=True)
    async def ask_about_target(self) -> AsyncIterator[Any]:
        """What the allow-list says to the target, once the typing pauses. Sends nothing to it."""
        async with self:
            self._judge()
            self.answer = ""
            target, wrong = self.target_url.strip(), self.problem_field == "target_url"
        yield
        if wrong:
            return
        await asyncio.sleep(TYPING_PAUSE_S)
        try:
            answer, good = allowed_sentence(await wiring.hub().reachable(target)), True
        except ScaleError as error:
            answer, good = str(error), False
        async with self:
            if self.target_url.strip() == target:
                self.answer, self.answer_good = answer, good

    @rx.event
    async def start(self) -> AsyncIterator[Any]:
        """Start the run that the form describes."""
        async for news in self._begin(lambda: wiring.hub().start(self.plan())):
            yield news

    @rx.event
    async def experiment(self, run_id: str, follow_by_address: bool) -> AsyncIterator[Any]:
        """Start the run that decides what the shown one left open, and turn to it."""
        before = self.started
        async for news in self._begin(lambda: wiring.hub().experiment(run_id)):
            yield news
        if follow_by_address and self.started != before:
            yield rx.redirect(f"/runs/{self.started}")

    @rx.event
    async def stop(self, run_id: str) -> Any:
        """Stop the run that is shown."""
        try:
            await wiring.hub().stop(run_id)
            self._clear()
        except ScaleError as error:
            yield self._refuse(error)

    @rx.event
    async def settle(self, field: str, run_id: str, running: bool) -> Any:
        """A value stands: the running load follows it, in this field alone. Before a run nothing is to be changed."""
        if not running or field not in EDITED:
            return
        value = shown.number(getattr(self, field))
        if value == self.adopted.get(field):
            return
        change: dict[str, Any] = {field: value}
        try:
            record = await wiring.hub().edit(run_id, PlanEdit(**change))
            self.adopt(record.plan)
            self._clear()
        except ScaleError as error:
            yield self._refuse(error)

    @rx.event
    def open_or_close(self) -> None:
        self.is_open = not self.is_open

    @rx.event
    async def forget(self) -> None:
        """Back to the defaults."""
        await self.take(DEFAULT)

    def adopt(self, plan: LoadPlan) -> None:
        """Show in the form what was edited of a running plan."""
        if self.adopted != (now := _edited(plan)):
            texts = texts_of(plan)
            set_changed(self, **{field: texts[field] for field in now if now[field] != self.adopted.get(field)})
            self.adopted = now

    async def take(self, plan: LoadPlan) -> None:
        """Fill the whole form from a plan."""
        self.base = await yaml_of(plan)
        set_changed(self, **texts_of(plan))
        self.extras, self.adopted = extras_of(self.base), _edited(plan)
        self._judge()

    async def _begin(self, begin: Callable[[], Awaitable[str]]) -> AsyncIterator[Any]:
        if self.starting:  # pressed twice, before the button was seen to be disabled
            return
        self.starting, self.is_open, before = True, False, self.started
        yield
        try:
            self.started, self.refused = await begin(), ""
            self._clear()
        except ScaleError as error:
            self.refused, self.is_open = str(error), True
            yield self._refuse(error)
        finally:
            self.starting = self.started != before

    def plan(self) -> LoadPlan:
        """The plan as typed. Raises PlanError."""
        base = plan_of_yaml(self.base) if self.base else DEFAULT
        return plan_of({field: getattr(self, field) for field in TEXTS}, base)

    def _judge(self) -> None:
        """Say what is wrong as it is typed; draw what is right."""
        seconds = shown.number(self.duration_s)
        self.duration_words = shown.span(seconds) if isinstance(seconds, int | float) and shown.known(seconds) else ""
        try:
            plan = self.plan()
            plan.check_limits(wiring.settings().limits)
        except PlanError as error:
            self.problem, self.problem_field = str(on_the_form(error)), error.field
            return
        self._clear()
        picture = pattern_picture(plan.pattern, plan.duration_s)
        self.preview, self.preview_area = picture.line, picture.area
        spread = f"From {shown.percent(picture.lowest, 0)} to {shown.percent(picture.highest, 0)} of the load"
        self.preview_note = (
            "" if plan.pattern.kind == "constant" else f"{spread}, {shown.percent(picture.mean, 0)} on average"
        )

    def _clear(self) -> None:
        if self.problem:
            self.problem = self.problem_field = ""

    def _refuse(self, error: ScaleError) -> Any:
        """Say what is wrong beside the form and in a toast; nothing typed is lost."""
        told = on_the_form(error) if isinstance(error, PlanError) else error
        self.problem = str(told)
        self.problem_field = error.field if isinstance(error, PlanError) else ""
        return refusal(told)


def _edited(plan: LoadPlan) -> dict[str, float]:
    return {field: value for field in EDITED if (value := getattr(plan, field)) is not None}


def _stop(field: str, text: str) -> list[int]:
    value = shown.number(text)
    return [nearest(SLIDERS[field], value) if isinstance(value, int | float) and shown.known(value) else 0]
