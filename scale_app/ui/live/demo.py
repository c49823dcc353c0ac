"""The demo's controls, to play with while a run goes on: change the balancer's policy, make a pod slow or failing, kill
one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.codec import plan_from_wire
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import ScaleError
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed, why_not
from scale_app.ui.display import problem, refusal
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.views import format as shown
from scale_app.views.words import FAULTS, POLICIES

NUMBERS = ("weight", "pods")


class DemoControl(rx.State):
    """The demo as this tab last saw it; `weight` and `pods` are texts as typed."""

    policy: str = Policy.RANDOM.value
    fault: str = Fault.NONE.value
    weight: str = "1"
    pods: str = ""
    first_pod: str = ""
    problem: str = ""
    _changes: int = 0

    @rx.event(background=True)
    async def look(self) -> AsyncIterator[Any]:
        """Read how the demo is set; in the background, for it may have to be started first.

        What somebody chooses while it starts is newer than what was read.
        """
        async with self:
            before = self._changes
        try:
            status = await wiring.hub().demo.status()
        except ScaleError as error:
            async with self:
                self.problem = str(error)
            yield refusal(error)
            return
        async with self:
            if self._changes == before:
                self.adopt(status)

    @rx.event
    async def choose_policy(self, policy: str) -> Any:
        return await self._change(policy=policy)

    @rx.event
    async def choose_fault(self, fault: str) -> Any:
        return await self._change(fault=fault)

    @rx.event
    def write(self, field: str, text: str) -> None:
        if field in NUMBERS:
            setattr(self, field, text)

    @rx.event
    async def settle(self, field: str) -> Any:
        return await self._change(**{field: shown.number(getattr(self, field))}) if field in NUMBERS else None

    @rx.event
    async def kill(self) -> Any:
        """Kill the first pod; the demo replaces it."""
        victim = self.first_pod
        return await self._change(kill_pod=victim) or rx.toast.info(f"Pod {victim} was killed. A new one starts.")

    def adopt(self, status: DemoStatus) -> None:
        self.policy, self.fault = status.policy.value, status.fault.value
        self.weight, self.pods = shown.plain(status.weight), str(len(status.pods))
        self.first_pod = status.pods[0].name if status.pods else ""
        self.problem = ""

    async def _change(self, **change: Any) -> Any:
        self._changes += 1
        try:
            self.adopt(await wiring.hub().demo.change(plan_from_wire(DemoChange, change)))
        except ScaleError as error:
            self.problem = str(error)
            return refusal(error)
        return None


def demo_panel(look: str = "") -> Part:
    """look: "demo-bar" for a row above the charts that it moves, else a card below the form."""
    state, mine = DemoControl, if_allowed("demo.change")
    return rx.el.section(
        rx.el.h2("Demo pods"),
        rx.el.p("Cause an imbalance and watch the score change.", class_name="quiet"),
        controls.choice("demo-policy", "Balancer policy", POLICIES, state.policy, state.choose_policy, **mine),
        rx.cond(state.policy == Policy.WEIGHTED.value, _number("weight", "Weight of the first pod")),
        controls.choice("demo-fault", "Fault", FAULTS, state.fault, state.choose_fault, **mine),
        _number("pods", "Pods"),
        controls.button(
            "Kill a pod",
            state.kill,
            "demo-kill",
            icon="skull",
            **if_allowed("demo.change", state.first_pod == ""),
        ),
        why_not("demo.change"),
        problem(state.problem, "demo-problem"),
        class_name=f"card form {look}".strip(),
        aria_label="Demo pods",
    )


def _number(field: str, label: str) -> Part:
    write: Handler = DemoControl.write
    settle: Handler = DemoControl.settle
    shown_now, settled = getattr(DemoControl, field), settle(field)
    mine = if_allowed("demo.change")
    return controls.small_entry(
        f"demo-{field}", label, shown_now, lambda text: write(field, text), on_settled=settled, **mine
    )
