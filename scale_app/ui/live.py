"""The live page: the plan on the left, the run on the right."""

from __future__ import annotations

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.demo_panel import demo_panel
from scale_app.ui.experiment import experiment_panel
from scale_app.ui.intent import Intent
from scale_app.ui.layout import page
from scale_app.ui.meant import Flag, Handler, Part, Text
from scale_app.ui.panels import run_panels
from scale_app.ui.state import Follower, Shown
from scale_app.views.view import OtherRun
from scale_app.views.words import ALERT_RULES, CONNECTIONS


def live_page() -> Part:
    """`/`"""
    return page(
        rx.el.h1("Live load test", class_name="sr-only"),
        rx.el.div(
            rx.el.div(load_form(), rx.cond(Intent.is_demo, demo_panel()), class_name="side"),
            rx.el.div(
                rx.foreach(Follower.others, _other_run),
                rx.cond(Shown.run_id != "", run_panels(Follower.view, experiment_panel()), first_steps()),
                class_name="main-column",
            ),
            class_name="columns",
        ),
        here="Live",
    )


def load_form() -> Part:
    """The plan, and the one wide button."""
    running = Shown.active
    return rx.el.section(
        rx.el.h2("Load"),
        controls.text_entry(
            "target",
            "Target",
            Intent.target,
            Intent.type_target,
            note="demo, or a URL such as http://api.shop.svc:8080/",
            disabled=running,
            wrong=Intent.problem_field == "target_url",
        ),
        _users(),
        _spawn_rate(),
        _duration(running),
        _connections(running),
        _more(running),
        _run_control(),
        rx.el.p(Intent.problem, class_name="problem", role="alert", id="problem", data_testid="problem"),
        class_name="card form",
        aria_label="Load",
    )


def _settled() -> Handler:
    """Users and spawn rate change the load that is running, if one is."""
    settle: Handler = Intent.settle
    return settle(Shown.run_id, Shown.active)


def _users() -> Part:
    return controls.number_slider(
        "users",
        "Users",
        "",
        Intent.users,
        Intent.users_at,
        Intent.users_last_stop,
        Intent.type_users,
        Intent.slide_users,
        on_settled=_settled(),
        wrong=Intent.problem_field == "users",
    )


def _spawn_rate() -> Part:
    return controls.number_slider(
        "spawn-rate",
        "Spawn rate",
        "users/s",
        Intent.spawn_rate,
        Intent.spawn_rate_at,
        Intent.spawn_rate_last_stop,
        Intent.type_spawn_rate,
        Intent.slide_spawn_rate,
        on_settled=_settled(),
        wrong=Intent.problem_field == "spawn_rate",
    )


def _duration(running: Flag) -> Part:
    return controls.number_slider(
        "duration",
        "Duration",
        "s",
        Intent.duration,
        Intent.duration_at,
        Intent.duration_last_stop,
        Intent.type_duration,
        Intent.slide_duration,
        note="Stops by itself after " + Intent.duration_words,
        disabled=running,
        wrong=Intent.problem_field == "duration_s",
    )


def _connections(running: Flag) -> Part:
    return rx.fragment(
        controls.choice(
            "connections", "Connections", CONNECTIONS, Intent.connections, Intent.choose_connections, disabled=running
        ),
        rx.cond(
            Intent.connections == "some",
            controls.small_entry(
                "every",
                "Requests per connection",
                "",
                Intent.every,
                Intent.type_every,
                disabled=running,
                wrong=Intent.problem_field == "requests_per_connection",
            ),
        ),
    )


def _more(running: Flag) -> Part:
    def small(name: str, label: str, unit: str, value: Text, on_type: Handler, field: str) -> Part:
        wrong = Intent.problem_field == field
        return controls.small_entry(name, label, unit, value, on_type, disabled=running, wrong=wrong)

    return rx.el.details(
        rx.el.summary("More", data_testid="more"),
        controls.small_entry(
            "think-time",
            "Think time",
            "ms",
            Intent.think_ms,
            Intent.type_think,
            disabled=running,
            wrong=Intent.problem_field == "think_time_s",
        ),
        rx.el.p("A user waits this long between an answer and its next request.", class_name="note"),
        controls.text_entry(
            "pod-header",
            "Response header with the pod's name",
            Intent.pod_header,
            Intent.type_pod_header,
            disabled=running,
            wrong=Intent.problem_field == "pod_header",
        ),
        small("warm-up", "Warm-up", "s", Intent.warm_up, Intent.type_warm_up, "warm_up_s"),
        rx.el.p("The first seconds are sent but not judged.", class_name="note"),
        controls.choice(
            "alert-rule", "Alert on", ALERT_RULES, Intent.alert_rule, Intent.choose_alert_rule, disabled=running
        ),
        small("max-pod-share", "Alert above pod share", "%", Intent.pod_share, Intent.type_pod_share, "max_pod_share"),
        small("max-p95", "Alert above p95", "ms", Intent.p95, Intent.type_p95, "max_p95_ms"),
        small("max-failures", "Alert above failures", "%", Intent.failures, Intent.type_failures, "max_failure_share"),
        rx.el.p("Empty: no such alert.", class_name="note"),
        class_name="fold",
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


def _other_run(run: OtherRun) -> Part:
    return rx.el.div(
        "Another run sends load: ",
        rx.link(run.text, href="/runs/" + run.run_id),
        class_name="notice",
    )


def first_steps() -> Part:
    """Nothing has run yet: what to do."""
    return rx.el.section(
        rx.icon("scale", size=40, aria_hidden=True),
        rx.el.h2("Do your pods share the work evenly?"),
        rx.el.p(
            "Press Start. Real requests go to five built-in demo pods behind a real balancer, and within "
            "seconds you see each pod's share, a score, and whether the difference is more than chance."
        ),
        rx.el.p(
            "To test a service of your own, put its URL into Target. Its pods must name themselves in a "
            "response header, X-Pod-Name unless you choose another.",
            class_name="quiet",
        ),
        rx.cond(Follower.problem != "", rx.el.p(Follower.problem, class_name="problem", role="alert")),
        class_name="card empty",
        data_testid="empty",
    )
