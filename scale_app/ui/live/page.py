"""The live page: what the run says across it, the plan on the left while it is open, the run's pictures on the
right."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.callers import is_refused
from scale_app.ui.display import empty_card, notice
from scale_app.ui.layout import page
from scale_app.ui.live.demo import demo_panel
from scale_app.ui.live.form import load_form
from scale_app.ui.live.run_bar import run_bar
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Flag, Part
from scale_app.ui.shown.panels import run_head, run_panels
from scale_app.ui.shown.state import Follower, ShownRun
from scale_app.ui.shown.verdict import experiment_panel
from scale_app.views.view import OtherRun


def live_page() -> Part:
    """`/`"""
    return page(
        rx.el.h1("Live load test", class_name="sr-only"),
        rx.el.div(
            _notices(),
            rx.cond(ShownRun.run_id != "", rx.fragment(run_bar(), run_head(Follower.view, experiment_panel()))),
            _columns(),
            class_name="panels",
        ),
        here="Live",
    )


def _columns() -> Part:
    """The form goes out of the way of a run; what it holds stays."""
    return rx.el.div(
        rx.el.div(
            load_form(),
            rx.cond(PlanForm.is_demo & ~_demo_above_charts(), demo_panel()),
            class_name="side",
            hidden=_folded(),
            id="plan",
        ),
        rx.el.div(
            rx.cond(
                ShownRun.run_id != "",
                run_panels(Follower.view, rx.cond(_demo_above_charts(), demo_panel("demo-bar"))),
                rx.cond(Follower.ready, first_steps(), skeleton()),
            ),
            class_name="main-column",
        ),
        class_name="columns",
        data_folded=_folded(),
    )


def _folded() -> Flag:
    return (ShownRun.run_id != "") & ~PlanForm.is_open


def _demo_above_charts() -> Flag:
    """Beside what they move, once there is something to be moved."""
    return (Follower.view.target == "demo") & (Follower.view.active | Follower.view.has_data)


def _notices() -> Part:
    return rx.fragment(
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
