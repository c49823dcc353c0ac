"""The folds of the form: what each request is, how pods are counted, what is left out and what is told."""

from __future__ import annotations

import reflex as rx

from scale_app.domain.request import METHODS
from scale_app.ui import controls
from scale_app.ui.intent import Intent
from scale_app.ui.meant import Flag, Handler, Part, Text
from scale_app.views.words import ALERT_RULES, COUNTING, DNS, TLS

METHOD_CHOICES = {method: (method, "") for method in METHODS}


def _writes(field: str) -> Handler:
    write: Handler = Intent.write
    return lambda text: write(field, text)


def _wrong(field: str) -> Flag:
    return Intent.problem_field == field


def request_fold(running: Flag) -> Part:
    """Method, headers, body, times and TLS of each request, and how the answering pod is told."""
    return _fold(
        "Request and counting",
        "more",
        controls.choice("method", "Method", METHOD_CHOICES, Intent.method, _writes("method"), disabled=running),
        controls.text_area(
            "headers",
            "Headers, one a line",
            Intent.headers,
            _writes("headers"),
            placeholder="Accept: application/json",
            disabled=running,
            wrong=_wrong("headers"),
        ),
        controls.text_area("body", "Body", Intent.body, _writes("body"), disabled=running, wrong=_wrong("body")),
        rx.cond(
            Intent.model == "closed",
            rx.fragment(
                _small("think-time", "think_ms", "Think time", "ms", Intent.think_ms, running),
                rx.el.p("A user waits this long between an answer and its next request.", class_name="note"),
            ),
        ),
        _small("timeout", "timeout", "Timeout", "s", Intent.timeout, running, "timeout_s"),
        controls.choice("tls", "Certificates", TLS, Intent.tls, _writes("tls"), disabled=running),
        rx.cond(
            Intent.tls == "verify",
            controls.text_area(
                "ca-pem",
                "Authorities to trust, as PEM",
                Intent.ca_pem,
                _writes("ca_pem"),
                placeholder="Empty: the system's",
                disabled=running,
                wrong=_wrong("ca_pem"),
            ),
        ),
        controls.choice("dns", "Name is resolved", DNS, Intent.dns, _writes("dns"), disabled=running),
        controls.choice(
            "counting", "Requests per pod from", COUNTING, Intent.counting, _writes("counting"), disabled=running
        ),
        rx.cond(
            Intent.counting == "json",
            controls.text_entry(
                "json-field",
                "JSON field with the pod's name",
                Intent.json_field,
                _writes("json_field"),
                note="As in pod.name",
                disabled=running,
                wrong=_wrong("json_field"),
            ),
        ),
        controls.text_entry(
            "pod-header",
            "Response header with the pod's name",
            Intent.pod_header,
            _writes("pod_header"),
            disabled=running,
            wrong=_wrong("pod_header"),
        ),
    )


def limits_fold(running: Flag) -> Part:
    """What is not judged, and when people are told."""
    return _fold(
        "Warm-up and alerts",
        "limits",
        _small("warm-up", "warm_up", "Warm-up", "s", Intent.warm_up, running, "warm_up_s"),
        rx.el.p("The first seconds are sent but not judged.", class_name="note"),
        controls.choice(
            "alert-rule", "Alert on", ALERT_RULES, Intent.alert_rule, _writes("alert_rule"), disabled=running
        ),
        _small("max-pod-share", "pod_share", "Alert above pod share", "%", Intent.pod_share, running, "max_pod_share"),
        _small("max-p95", "p95", "Alert above p95", "ms", Intent.p95, running, "max_p95_ms"),
        _small("max-failures", "failures", "Alert above failures", "%", Intent.failures, running, "max_failure_share"),
        rx.el.p("Empty: no such alert.", class_name="note"),
    )


def _small(
    name: str, field: str, label: str, unit: str, value: Text, running: Flag, wrong: str = "think_time_s"
) -> Part:
    return controls.small_entry(name, label, unit, value, _writes(field), disabled=running, wrong=_wrong(wrong))


def _fold(title: str, name: str, *inside: Part) -> Part:
    return rx.el.details(rx.el.summary(title, data_testid=name), *inside, class_name="fold")
