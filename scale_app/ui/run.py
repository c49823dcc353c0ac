"""One run by its permanent address: the live panels, frozen when it is over, and the plan it ran."""

from __future__ import annotations

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.experiment import experiment_panel
from scale_app.ui.intent import Intent
from scale_app.ui.layout import page
from scale_app.ui.meant import Handler, Part
from scale_app.ui.panels import panel, run_panels
from scale_app.ui.state import Follower
from scale_app.views.view import PlanLine, RunView


def run_page() -> Part:
    """`/runs/[run_id]`"""
    view = Follower.view
    return page(
        rx.cond(
            view.run_id != "",
            rx.el.div(
                rx.el.div(_head(view), _plan(view), class_name="side"),
                rx.el.div(run_panels(view, experiment_panel(follow_by_address=True)), class_name="main-column"),
                class_name="columns",
            ),
            rx.cond(Follower.ready, _unknown(), rx.fragment()),
        ),
        here="Run",
    )


def _head(view: RunView) -> Part:
    stop: Handler = Intent.stop
    return rx.el.section(
        rx.link("← All runs", href="/runs", class_name="back"),
        rx.el.h1("Run of ", rx.el.span(view.target, class_name="mono")),
        rx.el.p("Started ", view.when, class_name="quiet"),
        rx.el.p(
            view.state_text + ", ", view.progress.elapsed + " of " + view.progress.total, class_name="quiet tabular"
        ),
        rx.cond(view.active, controls.button("Stop", stop(view.run_id), "stop", icon="square")),
        rx.el.p(Intent.problem, class_name="problem", role="alert", data_testid="problem"),
        class_name="card form",
        aria_label="Run",
    )


def _plan(view: RunView) -> Part:
    return panel(
        "Plan",
        rx.el.dl(rx.foreach(view.plan, _plan_line), class_name="plan", data_testid="plan"),
    )


def _plan_line(line: PlanLine) -> Part:
    return rx.el.div(rx.el.dt(line.label), rx.el.dd(line.value))


def _unknown() -> Part:
    return rx.el.section(
        rx.el.h1("There is no such run"),
        rx.el.p(Follower.problem, role="alert", data_testid="problem"),
        rx.link("See all runs", href="/runs"),
        class_name="card empty",
    )
