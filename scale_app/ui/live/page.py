"""The live page: the plan on the left, the run on the right. And the demo's controls, to play with while a run goes on:
change the balancer's policy, make a pod slow or failing, kill one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.codec import plan_from_wire
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import ScaleError
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed, is_refused, why_not
from scale_app.ui.display import empty_card, notice, problem, refusal
from scale_app.ui.layout import page
from scale_app.ui.live.form import load_form
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.shown.panels import run_panels
from scale_app.ui.shown.state import Follower, ShownRun
from scale_app.ui.shown.verdict import experiment_panel
from scale_app.views import format as shown
from scale_app.views.view import OtherRun
from scale_app.views.words import FAULTS, POLICIES


def live_page() -> Part:
    """`/`"""
    return page(
        rx.el.h1("Live load test", class_name="sr-only"),
        rx.el.div(
            rx.el.div(load_form(), rx.cond(PlanForm.is_demo, demo_panel()), class_name="side"),
            rx.el.div(
                rx.cond(
                    Follower.notify_problem != "",
                    notice(
                        "bell-off",
                        rx.el.span(Follower.notify_problem, data_testid="notify-problem"),
                        look="notice notice-bad",
                        role="status",
                    ),
                ),
                rx.foreach(Follower.others, _other_run),
                rx.cond(PlanForm.refused != "", _not_started()),
                rx.cond(
                    ShownRun.run_id != "",
                    run_panels(Follower.view, experiment_panel()),
                    rx.cond(Follower.ready, first_steps(), skeleton()),
                ),
                class_name="main-column",
            ),
            class_name="columns",
        ),
        here="Live",
    )


def _not_started() -> Part:
    """Else the verdict of an earlier run would stand there as the answer to the Start that was refused."""
    earlier = rx.cond((ShownRun.run_id != "") & ~ShownRun.active, " Below is an earlier run.", "")
    return notice(
        "circle-alert",
        rx.el.span(rx.el.strong("Not started. "), PlanForm.refused, earlier, data_testid="not-started"),
        look="notice notice-bad",
        role="status",
    )


def _other_run(run: OtherRun) -> Part:
    return rx.el.div(
        rx.el.span("Another run is sending load: ", rx.link(run.text, href="/runs/" + run.run_id)),
        class_name="notice",
    )


def skeleton() -> Part:
    """In the place of a run until the server has told what there is, so that nothing jumps when it has."""
    return rx.el.div(
        *[rx.el.div(class_name=f"card bone bone-{size}") for size in ("tall", "chart", "chart")],
        class_name="panels",
        aria_hidden=True,
    )


def first_steps() -> Part:
    """Nothing has run yet: what to do."""
    return empty_card(
        "scale",
        rx.el.h2("Do your pods share the work evenly?"),
        rx.cond(is_refused("start"), rx.el.p(FOR_VIEWERS), _press_start()),
        rx.cond(Follower.problem != "", rx.el.p(Follower.problem, class_name="problem", role="alert")),
        size=40,
        data_testid="empty",
    )


FOR_VIEWERS = "Nothing has run yet. When somebody starts a run, you see it here; past ones are on Runs."


def _press_start() -> Part:
    return rx.fragment(
        rx.el.p(
            "Press Start. Real requests go to five built-in demo pods behind a real balancer. Within seconds "
            "you see each pod's share, a score, and whether the difference is more than chance. Then make the "
            "balancer unfair under Demo pods and watch the verdict change."
        ),
        rx.el.p(
            "To test your own service, enter its URL under Target. Each pod names itself in a response header, "
            "X-Pod-Name by default. A service that does not do so can be counted in the cluster instead, "
            "without a change.",
            class_name="quiet",
        ),
    )


NUMBERS = ("weight", "pods")


class DemoControl(rx.State):
    """The demo as this tab last saw it; `weight` and `pods` are texts as typed."""

    policy: str = Policy.RANDOM.value
    fault: str = Fault.NONE.value
    weight: str = "1"
    pods: str = ""
    first_pod: str = ""
    problem: str = ""

    @rx.event(background=True)
    async def look(self) -> AsyncIterator[Any]:
        """Read how the demo is set; in the background, for it may have to be started first."""
        try:
            status = await wiring.hub().demo.status()
        except ScaleError as error:
            async with self:
                self.problem = str(error)
            yield refusal(error)
            return
        async with self:
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
        try:
            self.adopt(await wiring.hub().demo.change(plan_from_wire(DemoChange, change)))
        except ScaleError as error:
            self.problem = str(error)
            return refusal(error)
        return None


def demo_panel() -> Part:
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
        class_name="card form",
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
