"""Where the load goes: the built-in pods, a Service that the cluster shows, or a URL with the allow-list's answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.cluster import ClusterTarget
from scale_app.domain.errors import ScaleError
from scale_app.ui import controls
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Flag, Handler, Part


@dataclass(frozen=True)
class Choice:
    """A Service to load. key: "<url> <service>"; note: its ready pods, and what of its settings matters."""

    key: str
    label: str
    note: str


class TargetChoices(rx.State):
    """What the cluster showed when this tab was opened or asked again. problem: why it shows nothing, or not all."""

    choices: rx.Field[list[Choice]] = rx.field(default_factory=list)
    problem: str = ""

    @rx.event(background=True)
    async def look(self) -> AsyncIterator[Any]:
        """Ask the cluster; in the background, for it may be slow."""
        try:
            found = await wiring.hub().targets()
            choices, problem = [choice_of(each) for each in found.targets if each.url], found.problem
        except ScaleError as error:
            choices, problem = [], str(error)
        async with self:
            self.choices, self.problem = choices, problem
        yield

    @rx.event
    def choose(self, key: str) -> Any:
        """Put a Service into the form."""
        url, _, service = key.partition(" ")
        choose: Handler = PlanForm.choose_service
        return choose(url, service) if url else None


def choice_of(target: ClusterTarget) -> Choice:
    """A discovered target as the list shows it."""
    kind = "" if target.kind == "Service" else f"{target.kind} "
    label = f"{kind}{target.service.namespace}/{target.name}: {target.ready} of {target.pods} pods ready"
    return Choice(f"{target.url} {target.service}", label, "; ".join(target.notable))


def target_picker(locked: Flag) -> Part:
    """One entry for all three, with a press for the first two."""
    return controls.labelled("target", "Target", _entry(locked), _answer(), rx.cond(~locked, _quick(), rx.fragment()))


def _entry(locked: Flag) -> Part:
    write: Handler = PlanForm.write
    return controls.typed(
        rx.el.input(
            id="target",
            value=PlanForm.target_url,
            on_change=lambda text: write("target_url", text),
            type="text",
            auto_complete="off",
            spell_check=False,
            class_name="input",
            disabled=locked,
            aria_invalid=(PlanForm.problem_field == "target_url") | ~PlanForm.answer_good,
            aria_describedby="target-note",
            data_testid="target",
        )
    )


def _answer() -> Part:
    """What the allow-list says to the target; before it has answered, what the target is or may be."""
    hint = rx.cond(
        PlanForm.is_demo,
        "Five built-in pods on this machine, behind a real balancer.",
        "demo, or a URL such as http://api.shop.svc:8080/",
    )
    return rx.el.p(
        rx.cond(PlanForm.answer != "", PlanForm.answer, hint),
        class_name=rx.cond(PlanForm.answer_good, "note", "note note-bad"),
        id="target-note",
        role="status",
        data_testid="target-answer",
    )


def _quick() -> Part:
    choose: Handler = TargetChoices.choose
    return rx.el.div(
        rx.cond(
            ~PlanForm.is_demo,
            controls.button("Use the demo", PlanForm.choose_demo, "choose-demo", look="small"),
        ),
        rx.cond(
            TargetChoices.choices,
            rx.el.select(
                rx.el.option("Choose a Service in the cluster …", value=""),
                rx.foreach(TargetChoices.choices, lambda choice: rx.el.option(choice.label, value=choice.key)),
                value=PlanForm.target_url + " " + PlanForm.service,
                on_change=choose,
                class_name="input",
                aria_label="Service in the cluster",
                data_testid="choose-service",
            ),
        ),
        rx.foreach(TargetChoices.choices, _chosen),
        class_name="quick",
    )


def _chosen(choice: Choice) -> Part:
    """What matters of the Service that is in the form."""
    return rx.cond(
        (choice.note != "") & (choice.key == PlanForm.target_url + " " + PlanForm.service),
        rx.el.p("Settings that affect sharing: " + choice.note, class_name="note", data_testid="service-note"),
    )
