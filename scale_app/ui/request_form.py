"""The folds of the form: what each request is, how pods are counted, what is left out and what is told."""

from __future__ import annotations

import reflex as rx

from scale_app.domain.request import METHODS
from scale_app.ui import plan_fields as plan
from scale_app.ui.intent import Intent
from scale_app.ui.meant import Flag, Part
from scale_app.views.words import ALERT_RULES, COUNTING, DNS, TLS

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
