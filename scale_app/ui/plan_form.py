"""The plan's form: target, load, pattern, connections, and in folds what most people leave as it is."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.charts import path, plot
from scale_app.ui.info import info
from scale_app.ui.intent import SLIDERS, Intent
from scale_app.ui.meant import Flag, Handler, Part, Text
from scale_app.ui.request_form import limits_fold, request_fold
from scale_app.ui.saved_plans import saved_plans_fold
from scale_app.ui.state import Follower, Shown
from scale_app.ui.target_picker import target_picker
from scale_app.views.words import ARRIVALS, CONNECTIONS, MODELS, PATTERNS


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


def writes(field: str) -> Handler:
    """Keeps what is typed or chosen in this field."""
    write: Handler = Intent.write
    return lambda text: write(field, text)


def _slides(field: str) -> Handler:
    slide: Handler = Intent.slide
    return slide(field)


def _settled() -> Handler:
    """What stands now changes the load that is running, if one is."""
    settle: Handler = Intent.settle
    return settle(Shown.run_id, Shown.active)


def _slider(field: str, name: str, label: str, unit: str, text: Text, at: Any, wrong: str, **more: Any) -> Part:
    return controls.number_slider(
        name,
        label,
        unit,
        text,
        at,
        len(SLIDERS[field]) - 1,
        writes(field),
        _slides(field),
        wrong=Intent.problem_field == wrong,
        **more,
    )


def _small(name: str, field: str, label: str, unit: str, value: Text, wrong: str, running: Flag) -> Part:
    return controls.small_entry(
        name, label, unit, value, writes(field), disabled=running, wrong=Intent.problem_field == wrong
    )


def _model(running: Flag) -> Part:
    """Who decides when a request is sent: users who wait for their answer, or a clock."""
    return rx.fragment(
        controls.choice("model", "Load model", MODELS, Intent.model, writes("model"), disabled=running),
        rx.cond(
            Intent.model == "open",
            rx.fragment(
                _slider(
                    "arrivals_per_s",
                    "arrivals",
                    "Requests",
                    "per s",
                    Intent.arrivals_per_s,
                    Intent.arrivals_at,
                    "arrivals_per_s",
                    on_settled=_settled(),
                ),
                controls.choice(
                    "arrivals-kind", "Arrivals", ARRIVALS, Intent.arrivals, writes("arrivals"), disabled=running
                ),
            ),
        ),
        _slider(
            "users",
            "users",
            "Users",
            "",
            Intent.users,
            Intent.users_at,
            "users",
            on_settled=_settled(),
            note=rx.cond(Intent.model == "open", "At most so many requests are under way at once", ""),
        ),
        _slider(
            "spawn_rate",
            "spawn-rate",
            "Spawn rate",
            "users/s",
            Intent.spawn_rate,
            Intent.spawn_rate_at,
            "spawn_rate",
            on_settled=_settled(),
        ),
    )


def _duration(running: Flag) -> Part:
    return _slider(
        "duration",
        "duration",
        "Duration",
        "s",
        Intent.duration,
        Intent.duration_at,
        "duration_s",
        note="Stops by itself after " + Intent.duration_words,
        disabled=running,
    )


def _pattern(running: Flag) -> Part:
    """The pattern with a picture of its shape, and only the numbers that the chosen kind has."""

    def has(*kinds: str) -> Flag:
        wanted = Intent.pattern == kinds[0]
        for kind in kinds[1:]:
            wanted = wanted | (Intent.pattern == kind)
        return wanted

    return rx.fragment(
        controls.choice("pattern", "Pattern", PATTERNS, Intent.pattern, writes("pattern"), disabled=running),
        rx.el.div(
            plot(
                "The load over the duration. " + Intent.preview_note,
                path(Intent.preview_area, "area"),
                path(Intent.preview, "line"),
            ),
            class_name="preview",
        ),
        rx.el.p(Intent.preview_note, class_name="note", data_testid="preview-note"),
        rx.cond(~has("constant"), _small("low", "low", "Lowest load", "%", Intent.low, "pattern.low", running)),
        rx.cond(
            has("ramp", "steps", "spike", "wave"),
            _small("period", "period", "Length", "s", Intent.period, "pattern.period_s", running),
        ),
        rx.cond(has("steps"), _small("steps", "steps", "Steps", "", Intent.steps, "pattern.steps", running)),
        rx.cond(has("spike"), _small("begins", "begins", "Begins at", "s", Intent.begins, "pattern.begins_s", running)),
        rx.cond(
            has("replayed"),
            controls.text_area(
                "points",
                "Seconds and percent, a pair a line",
                Intent.points,
                writes("points"),
                placeholder="0 20\n30 100\n45 50",
                disabled=running,
                wrong=Intent.problem_field == "pattern.points",
            ),
        ),
    )


def _connections(running: Flag) -> Part:
    return rx.fragment(
        controls.choice(
            "connections",
            "Connections",
            CONNECTIONS,
            Intent.connections,
            writes("connections"),
            disabled=running,
            about=info("connections"),
        ),
        rx.cond(
            Intent.connections == "some",
            _small("every", "every", "Requests per connection", "", Intent.every, "requests_per_connection", running),
        ),
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
            controls.button(
                rx.cond(Shown.stopping, "Stopping…", "Stop"),
                stop(Shown.run_id),
                "stop",
                icon="square",
                disabled=Shown.stopping,
            ),
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
