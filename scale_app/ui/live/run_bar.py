"""The shown run in a line: what it sends where, how far it is, and what can be done; the form opens from here."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.callers import if_allowed, why_not
from scale_app.ui.controls import stop_button
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.ui.shown.state import Follower, ShownRun

_HERE: Any = rx.Var("window.location.origin")


def run_bar() -> Part:
    """Target, plan and time; Stop, or Start with what the form holds."""
    view = Follower.view
    return rx.el.section(
        rx.el.div(
            rx.el.strong(view.target, class_name="mono run-target", title=view.target),
            rx.el.span(view.brief, class_name="quiet", data_testid="brief"),
            rx.link("Run ", view.short_id, href="/runs/" + view.run_id, class_name="back", data_testid="to-run"),
            class_name="run-said",
        ),
        _progress(),
        rx.el.div(_edit(), _copy_link(), class_name="buttons"),
        run_control(),
        class_name="card run-bar",
        aria_label="Run",
    )


def _progress() -> Part:
    progress = Follower.view.progress
    return rx.el.div(
        rx.el.span(progress.elapsed + " of " + progress.total, data_testid="progress"),
        rx.cond(progress.remaining != "", rx.el.span(progress.remaining, class_name="quiet", data_testid="remaining")),
        rx.el.progress(value=progress.percent, max=100, aria_label="Progress", class_name="progress"),
        class_name="run-progress tabular",
    )


def _edit() -> Part:
    return controls.button(
        rx.cond(PlanForm.is_open, "Close the plan", "Edit"),
        PlanForm.open_or_close,
        "edit",
        aria_expanded=PlanForm.is_open,
        custom_attrs={"aria-controls": "plan"},
    )


def _copy_link() -> Part:
    copy = [rx.set_clipboard(_HERE.to(str) + "/runs/" + Follower.view.run_id), rx.toast.info("The link was copied.")]
    return controls.button("Copy link", copy, "copy-link")


def run_control() -> Part:
    """Start; or, while a run goes on, Stop."""
    stop: Handler = PlanForm.stop
    return rx.el.div(
        rx.cond(
            ShownRun.active,
            rx.fragment(
                stop_button(stop(ShownRun.run_id), ShownRun.stopping, **if_allowed("stop")),
                why_not("stop"),
            ),
            rx.fragment(
                controls.button(
                    rx.cond(PlanForm.starting, "Starting…", "Start"),
                    PlanForm.start,
                    "start",
                    look="primary",
                    icon="play",
                    **if_allowed("start", PlanForm.starting),
                ),
                why_not("start"),
            ),
        ),
        class_name="run-control",
    )
