"""The plan's form: target, load, pattern, connections, and in folds what most people leave as it is."""

from __future__ import annotations

from functools import reduce
from operator import or_

import reflex as rx

from scale_app.domain.pattern import PatternKind
from scale_app.domain.request import METHODS
from scale_app.ui.elements import controls
from scale_app.ui.elements.controls import stop_button
from scale_app.ui.elements.display import info
from scale_app.ui.elements.types import Flag, Handler, Part
from scale_app.ui.live import fields as plan
from scale_app.ui.live.saved_plans import saved_plans_fold
from scale_app.ui.live.target_picker import target_picker
from scale_app.ui.plan.state import Intent
from scale_app.ui.shown.charts import path, plot
from scale_app.ui.shown.state import Follower, Shown
from scale_app.views.words import ALERT_RULES, ARRIVALS, CONNECTIONS, COUNTING, DNS, MODELS, PATTERNS, TLS, UNTIL


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


METHOD_CHOICES = {method: (method, "") for method in METHODS}


def request_fold(running: Flag) -> Part:
    """Method, headers, body, times and TLS of each request, and how the answering pod is told."""
    return _fold("Request and counting", "more", *_request(running), *_connection(running), *_counting(running))


def _request(running: Flag) -> list[Part]:
    think_time = plan.number("think_ms", "think-time", "Think time", "ms", running, wrong="think_time_s")
    waits = plan.note("A user waits this long between an answer and its next request.")
    example = "Accept: application/json"
    return [
        plan.choice("method", "method", "Method", METHOD_CHOICES, running),
        plan.lines("headers", "headers", "Headers, one a line", running, placeholder=example),
        plan.lines("body", "body", "Body", running),
        rx.cond(Intent.model == "closed", rx.fragment(think_time, waits)),
        plan.number("timeout", "timeout", "Timeout", "s", running, wrong="timeout_s"),
    ]


def _connection(running: Flag) -> list[Part]:
    trusted = plan.lines("ca_pem", "ca-pem", "Authorities to trust, as PEM", running, placeholder="Empty: the system's")
    return [
        plan.choice("tls", "tls", "Certificates", TLS, running),
        rx.cond(Intent.tls == "verify", trusted),
        plan.choice("dns", "dns", "Name is resolved", DNS, running),
    ]


def _counting(running: Flag) -> list[Part]:
    json_field = plan.line("json_field", "json-field", "JSON field with the pod's name", running, note="As in pod.name")
    return [
        plan.choice("counting", "counting", "Requests per pod from", COUNTING, running),
        rx.cond(Intent.counting == "json", json_field),
        plan.line("pod_header", "pod-header", "Response header with the pod's name", running),
    ]


def limits_fold(running: Flag) -> Part:
    """What is not judged, and when people are told."""
    return _fold(
        "Warm-up and alerts",
        "limits",
        plan.number("warm_up", "warm-up", "Warm-up", "s", running, wrong="warm_up_s"),
        plan.note("The first seconds are sent but not judged."),
        plan.choice("alert_rule", "alert-rule", "Alert on", ALERT_RULES, running),
        plan.number("pod_share", "max-pod-share", "Alert above pod share", "%", running, wrong="max_pod_share"),
        plan.number("p95", "max-p95", "Alert above p95", "ms", running, wrong="max_p95_ms"),
        plan.number("failures", "max-failures", "Alert above failures", "%", running, wrong="max_failure_share"),
        plan.note("Empty: no such alert."),
    )


def _fold(title: str, name: str, *inside: Part) -> Part:
    return rx.el.details(rx.el.summary(title, data_testid=name), *inside, class_name="fold")
