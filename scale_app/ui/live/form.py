"""The plan's form: target, load, pattern, connections, and in folds what most people leave as it is."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.callers import is_refused, refused
from scale_app.ui.display import info
from scale_app.ui.live import fields as plan
from scale_app.ui.live.run_bar import run_control
from scale_app.ui.live.saved_plans import saved_plans_fold
from scale_app.ui.live.target_picker import target_picker
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Flag, Part
from scale_app.ui.shown.charts import path, plot
from scale_app.ui.shown.state import ShownRun
from scale_app.views.words import CONNECTIONS, MODELS


def load_form() -> Part:
    """The plan, and Start until there is a run. While one goes on, the sliders change the running load."""
    locked = ShownRun.active | is_refused("start")
    return rx.el.section(
        rx.el.h2("Load"),
        rx.el.div(
            target_picker(locked),
            _model(locked),
            _duration(locked),
            _pattern(locked),
            _connections(locked),
            plan.fold_of("request", "Request, TLS, DNS and counting", "more", locked),
            plan.fold_of("limits", "Warm-up, weights and alerts", "limits", locked),
            title=refused("start"),
            class_name="grouped",
        ),
        saved_plans_fold(ShownRun.active),
        rx.cond(
            PlanForm.extras != "",
            rx.el.p("The loaded plan also sets: ", PlanForm.extras, class_name="note", data_testid="extras"),
        ),
        rx.cond(ShownRun.run_id == "", run_control()),
        rx.el.p(PlanForm.problem, class_name="problem", role="alert", id="problem", data_testid="problem"),
        class_name="card form",
        aria_label="Load",
    )


def _model(locked: Flag) -> Part:
    """Who decides when a request is sent: users who wait for their answer, or a clock."""
    is_open = PlanForm.model == "open"
    at_most = rx.cond(is_open, "The most requests in flight at once", "")
    return rx.fragment(
        plan.choice_of("model", "model", "Load model", MODELS, locked),
        rx.cond(
            is_open,
            rx.fragment(
                plan.live_slider("arrivals_per_s"),
                plan.choice("arrivals", locked),
            ),
        ),
        plan.live_slider("users", note=at_most),
        plan.live_slider("spawn_rate"),
    )


def _duration(locked: Flag) -> Part:
    latest = rx.cond(PlanForm.until == "decided", " at the latest", "")
    ends = "Stops after " + PlanForm.duration_words + latest
    return rx.fragment(
        plan.slider("duration_s", note=ends, disabled=locked),
        plan.choice("until", locked),
    )


def _pattern(locked: Flag) -> Part:
    """The pattern with a picture of its shape, and only the numbers that the chosen kind has."""
    return rx.fragment(plan.choice("pattern", locked), _preview(), *plan.group_of("pattern", locked))


def _preview() -> Part:
    return rx.fragment(
        rx.el.div(
            plot(
                "The load over the duration. " + PlanForm.preview_note,
                path(PlanForm.preview_area, "area"),
                path(PlanForm.preview, "line"),
            ),
            class_name="preview",
        ),
        rx.el.p(PlanForm.preview_note, class_name="note", data_testid="preview-note"),
    )


def _connections(locked: Flag) -> Part:
    every = plan.number("requests_per_connection", locked, word="every")
    return rx.fragment(
        plan.choice_of("connections", "connections", "Connections", CONNECTIONS, locked, info("connections")),
        rx.cond(PlanForm.connections == "some", every),
    )
