"""The plan's form: target, load, pattern, connections, and in folds what most people leave as it is."""

from __future__ import annotations

from functools import reduce
from operator import or_

import reflex as rx

from scale_app.domain.pattern import PatternKind
from scale_app.ui import controls
from scale_app.ui import plan_fields as plan
from scale_app.ui.charts import path, plot
from scale_app.ui.info import info
from scale_app.ui.intent import Intent
from scale_app.ui.meant import Flag, Handler, Part
from scale_app.ui.request_form import limits_fold, request_fold
from scale_app.ui.run_actions import stop_button
from scale_app.ui.saved_plans import saved_plans_fold
from scale_app.ui.state import Follower, Shown
from scale_app.ui.target_picker import target_picker
from scale_app.views.words import ARRIVALS, CONNECTIONS, MODELS, PATTERNS, UNTIL


def load_form() -> Part:
    """The plan, and the one wide button. While a run goes on, its sliders change the running load."""
    running = Shown.active
    return rx.el.section(
        rx.el.h2("Load"),
        target_picker(running),
        _model(running),
        _duration(running),
        _pattern(running),
        _connections(running),
        request_fold(running),
        limits_fold(running),
        saved_plans_fold(running),
        rx.cond(
            Intent.extras != "",
            rx.el.p("The loaded plan also sets: ", Intent.extras, class_name="note", data_testid="extras"),
        ),
        _run_control(),
        rx.el.p(Intent.problem, class_name="problem", role="alert", id="problem", data_testid="problem"),
        class_name="card form",
        aria_label="Load",
    )


def _model(running: Flag) -> Part:
    """Who decides when a request is sent: users who wait for their answer, or a clock."""
    is_open = Intent.model == "open"
    at_most = rx.cond(is_open, "At most so many requests are under way at once", "")
    return rx.fragment(
        plan.choice("model", "model", "Load model", MODELS, running),
        rx.cond(
            is_open,
            rx.fragment(
                plan.live_slider("arrivals_per_s", "arrivals", "Requests", "per s"),
                plan.choice("arrivals", "arrivals-kind", "Arrivals", ARRIVALS, running),
            ),
        ),
        plan.live_slider("users", "users", "Users", "", note=at_most),
        plan.live_slider("spawn_rate", "spawn-rate", "Spawn rate", "users/s"),
    )


def _duration(running: Flag) -> Part:
    latest = rx.cond(Intent.until == "decided", " at the latest", "")
    ends = "Stops by itself after " + Intent.duration_words + latest
    return rx.fragment(
        plan.slider("duration", "duration", "Duration", "s", wrong="duration_s", note=ends, disabled=running),
        plan.choice("until", "until", "Ends", UNTIL, running),
    )


def _pattern(running: Flag) -> Part:
    """The pattern with a picture of its shape, and only the numbers that the chosen kind has."""

    def number(field: str, label: str, unit: str, wrong: str) -> Part:
        return plan.number(field, field, label, unit, running, f"pattern.{wrong}")

    return rx.fragment(
        plan.choice("pattern", "pattern", "Pattern", PATTERNS, running),
        _preview(),
        rx.cond(Intent.pattern != "constant", number("low", "Lowest load", "%", "low")),
        rx.cond(_has("ramp", "steps", "spike", "wave"), number("period", "Length", "s", "period_s")),
        rx.cond(_has("steps"), number("steps", "Steps", "", "steps")),
        rx.cond(_has("spike"), number("begins", "Begins at", "s", "begins_s")),
        rx.cond(_has("replayed"), _points(running)),
    )


def _has(*kinds: PatternKind) -> Flag:
    """True for a pattern of one of these kinds."""
    return reduce(or_, (Intent.pattern == kind for kind in kinds))


def _preview() -> Part:
    return rx.fragment(
        rx.el.div(
            plot(
                "The load over the duration. " + Intent.preview_note,
                path(Intent.preview_area, "area"),
                path(Intent.preview, "line"),
            ),
            class_name="preview",
        ),
        rx.el.p(Intent.preview_note, class_name="note", data_testid="preview-note"),
    )


def _points(running: Flag) -> Part:
    return plan.lines(
        "points",
        "points",
        "Seconds and percent, a pair a line",
        running,
        "pattern.points",
        placeholder="0 20\n30 100\n45 50",
    )


def _connections(running: Flag) -> Part:
    every = plan.number("every", "every", "Requests per connection", "", running, "requests_per_connection")
    return rx.fragment(
        plan.choice("connections", "connections", "Connections", CONNECTIONS, running, about=info("connections")),
        rx.cond(Intent.connections == "some", every),
    )


def _run_control() -> Part:
    """Start; or, while running, how far the run is and Stop."""
    progress = Follower.view.progress
    stop: Handler = Intent.stop
    return rx.cond(
        Shown.active,
        rx.el.div(
            rx.el.div(
                rx.el.span(progress.elapsed + " of " + progress.total, data_testid="progress"),
                rx.el.span(progress.remaining, class_name="quiet", data_testid="remaining"),
                class_name="row tabular",
            ),
            rx.el.progress(value=progress.percent, max=100, aria_label="Progress", class_name="progress"),
            stop_button(stop(Shown.run_id), Shown.stopping),
            class_name="run-control",
        ),
        rx.el.div(
            controls.button(
                rx.cond(Intent.starting, "Starting…", "Start"),
                Intent.start,
                "start",
                look="primary",
                icon="play",
                disabled=Intent.starting,
            ),
            class_name="run-control",
        ),
    )
