"""The live page: the plan on the left, the run on the right."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.elements.display import empty_card, notice
from scale_app.ui.elements.types import Part
from scale_app.ui.layout import page
from scale_app.ui.live.demo import demo_panel
from scale_app.ui.live.form import load_form
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.shown.findings import experiment_panel
from scale_app.ui.shown.panels import run_panels
from scale_app.ui.shown.state import Follower, ShownRun
from scale_app.views.view import OtherRun


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


def _other_run(run: OtherRun) -> Part:
    return rx.el.div(
        rx.el.span("Another run sends load: ", rx.link(run.text, href="/runs/" + run.run_id)),
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
        rx.el.p(
            "Press Start. Real requests go to five built-in demo pods behind a real balancer, and within "
            "seconds you see each pod's share, a score, and whether the difference is more than chance. Then make the "
            "balancer unfair under Demo pods, and see what Scale says of it."
        ),
        rx.el.p(
            "To test a service of your own, put its URL into Target. Its pods are told apart by a response "
            "header, X-Pod-Name unless you choose another, or counted in the cluster, unchanged.",
            class_name="quiet",
        ),
        rx.cond(Follower.problem != "", rx.el.p(Follower.problem, class_name="problem", role="alert")),
        size=40,
        data_testid="empty",
    )
