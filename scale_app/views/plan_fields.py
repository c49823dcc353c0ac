"""Every field of a plan as people read, type and set it: one table for form, flags, lists of a plan, comparisons.

What a field means is said in the docstring of `LoadPlan`, which schema and reference show; what it accepts, `LoadPlan`
alone judges. A field that stands there and in this table is on every face.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import SHAPES
from scale_app.domain.target import METHODS
from scale_app.views import format as shown
from scale_app.views.words import ALERT_RULES, ARRIVALS, COUNTING, DNS, PATTERNS, TLS, UNTIL, connection_text


@dataclass(frozen=True, slots=True)
class PlanField:
    """One field.

    name: of `LoadPlan`; with a dot for a part of one, as "pattern.low". label, unit: in lists of a plan's figures.
    word: by which page and command line know it, "" when it is set in files alone. help: of the flag `--word`, "" when
    there is no such flag. figure: writes its value in the list of a plan, None when it is not listed there.

    control: what the form asks by, "" when the form has a way of its own, or does not ask. group: of the form, in
    which the control stands in the table's order, "" when the form places it. only_if: a text of the form, and the
    values of it with which the control is shown. form_label, form_unit, per_unit: where the form asks with another
    label or unit, and how many of these units are one of the plan's. choices: a name and a sentence for each value.
    hint: what an empty entry shows. note: below the control.
    """

    name: str
    label: str
    word: str = ""
    unit: str = ""
    help: str = ""
    figure: Callable[[Any], str] | None = None
    control: Literal["", "number", "line", "lines", "choice"] = ""
    group: Literal["", "pattern", "request", "limits"] = ""
    only_if: tuple[str, tuple[str, ...]] | None = None
    form_label: str = ""
    form_unit: str = ""
    per_unit: int = 1
    choices: Mapping[Any, tuple[str, str]] | None = None
    hint: str = ""
    note: str = ""

    @property
    def key(self) -> str:
        """The name as a part of Python names."""
        return self.name.replace(".", "_")

    @property
    def control_label(self) -> str:
        """The label of the form's control."""
        return self.form_label or self.label

    @property
    def control_unit(self) -> str:
        """The unit of the form's control."""
        return self.form_unit or self.unit


def _number(name: str, label: str, word: str, unit: str = "", **more: Any) -> PlanField:
    return PlanField(name, label, word, unit, control="number", **more)


def _choice(name: str, label: str, word: str, choices: Mapping[Any, tuple[str, str]], **more: Any) -> PlanField:
    return PlanField(name, label, word, control="choice", choices=choices, **more)


def _of_pattern(name: str) -> dict[str, Any]:
    """Stands below the pattern, for the kinds that go by it."""
    kinds = tuple(kind for kind, shape in SHAPES.items() if name in shape.needs)
    return {"group": "pattern", "only_if": ("pattern", kinds)}


def _chosen(choices: Mapping[Any, tuple[str, str]]) -> Callable[[Any], str]:
    return lambda value: choices[value][0]


_IN_PERCENT: dict[str, Any] = {"form_unit": "%", "per_unit": 100}

PLAN_FIELDS = (
    PlanField("target_url", "Target", "target", help='A URL, "demo", or "simulated".', figure=str),
    _number("users", "Users", "users", help="Concurrent users.", figure=shown.count),
    _number(
        "spawn_rate", "Spawn rate", "spawn-rate", "users/s", help="Users started per second.",
        figure=lambda rate: f"{shown.plain(rate)} users/s",
    ),
    _number("duration_s", "Duration", "duration", "s", help="Seconds, including spawning.", figure=shown.span),
    _choice(
        "until", "Ends", "until", UNTIL, figure=_chosen(UNTIL),
        help='End after the "duration", or as soon as "decided", at the latest after the duration.',
    ),
    PlanField(
        "requests_per_connection", "Requests per connection", "requests-per-connection", figure=connection_text,
        help='Requests before a new connection; "null" for keep-alive.',
    ),
    _choice("pattern", "Pattern", "pattern", PATTERNS),
    _number("pattern.low", "Lowest load", "low", **_of_pattern("low"), **_IN_PERCENT),
    _number("pattern.period_s", "Length", "period", "s", **_of_pattern("period_s")),
    _number("pattern.steps", "Steps", "steps", **_of_pattern("steps")),
    _number("pattern.begins_s", "Starts at", "begins", "s", **_of_pattern("begins_s")),
    PlanField(
        "pattern.points", "Seconds and percent, a pair per line", "points", control="lines", hint="0 20\n30 100\n45 50",
        **_of_pattern("points"),
    ),
    PlanField(
        "arrivals_per_s", "Arrivals per second", "arrivals", form_label="Requests", form_unit="per s",
        help="Open model: requests per second, however slow the answers are.",
    ),
    _choice("arrivals", "Arrivals", "arrivals-kind", ARRIVALS),
    _choice("method", "Method", "method", {each: (each, "") for each in METHODS}, group="request", help="HTTP method."),
    PlanField(
        "headers", "Headers", "headers", control="lines", group="request", form_label="Headers, one per line",
        hint="Accept: application/json",
    ),
    PlanField("body", "Body", "body", control="lines", group="request", help="What each request sends."),
    _number(
        "think_time_s", "Think time", "think-time", "s", group="request", only_if=("model", ("closed",)),
        form_unit="ms", per_unit=1_000, figure=lambda think_time_s: shown.milliseconds(think_time_s * 1_000),
        help="Seconds between an answer and the next request.",
        note="Each user waits this long after an answer before it sends again.",
    ),
    _number(
        "timeout_s", "Timeout", "timeout", "s", group="request", figure=shown.span, help="Seconds for one request.",
    ),
    _choice("verify_tls", "Verify TLS", "tls", TLS, group="request", form_label="Certificates"),
    PlanField(
        "ca_pem", "Authorities to trust", "ca-pem", control="lines", group="request",
        only_if=("verify_tls", ("verify",)), form_label="Authorities to trust, as PEM",
        hint="Empty: those of the system",
    ),
    _choice("dns", "DNS lookup", "dns", DNS, group="request"),
    _choice("counting", "Counting source", "counting", COUNTING, group="request"),
    PlanField(
        "json_field", "JSON field with the pod's name", "json-field", control="line", group="request",
        only_if=("counting", ("json",)), note="Example: pod.name",
    ),
    PlanField(
        "pod_header", "Pod header", "pod-header", control="line", group="request", figure=str,
        form_label="Response header with the pod's name", help="Response header that names the pod.",
    ),
    _number(
        "warm_up_s", "Warm-up", "warm-up", "s", group="limits", help="Seconds that are not judged.", figure=shown.span,
        note="Requests of the warm-up are sent but not judged.",
    ),
    PlanField(
        "weights", "Expected weights", "weights", control="lines", group="limits", figure=shown.pairs,
        form_label="Expected weights, one per line", hint="web-stable: 90\nweb-canary: 10",
        help="Weights that are meant, such as web-stable=90,web-canary=10.",
        note="A pod's name, or a prefix such as a Deployment's, whose pods share the weight. Empty: evenly.",
    ),
    _choice("alert_rule", "Alert on", "alert-rule", ALERT_RULES, group="limits", figure=_chosen(ALERT_RULES)),
    _number(
        "max_pod_share", "Largest pod share", "max-pod-share", group="limits", form_label="Alert above pod share",
        figure=shown.percent, **_IN_PERCENT,
    ),
    _number(
        "max_p95_ms", "Highest p95", "max-p95", "ms", group="limits", form_label="Alert above p95",
        figure=shown.milliseconds,
    ),
    _number(
        "max_failure_share", "Largest failed share", "max-failures", group="limits", form_label="Alert above failures",
        figure=lambda share: shown.percent(share, 2), note="Leave empty for no alert.", **_IN_PERCENT,
    ),
    PlanField("service", "Kubernetes Service", "service", help="Kubernetes Service, namespace/name."),
    PlanField("locustfile", "Locustfile"),
    PlanField("gate", "Thresholds"),
    PlanField("gate.pods", "Pods", "pods", help="How many pods there must be; fewer fail."),
    PlanField("gate.baseline", "Baseline", "baseline", help="Baseline that this run must not be worse than."),
    PlanField("processes", "Worker processes"),
    PlanField("remote_workers", "Remote workers"),
    PlanField("counter_name", "Prometheus counter"),
    PlanField("log_pattern", "Access log format"),
    PlanField("proxy_pods", "Proxy's pods"),
    PlanField("enter_pods", "Commands in pods"),
)  # fmt: skip
FIELDS = {field.name: field for field in PLAN_FIELDS}
"""The same by name."""


def on_the_form(error: PlanError) -> PlanError:
    """The same in the form's words: its label for the field, and the value in its unit, as it was typed."""
    field = FIELDS.get(error.field) or FIELDS.get(error.field.partition(".")[0])
    label = field.control_label.partition(",")[0] if field else ""
    return error.called(label, field.per_unit, field.control_unit) if field else error


PLAN_LABELS = {
    field.name: f"{field.label}, {field.unit}" if field.unit else field.label
    for field in PLAN_FIELDS
    if "." not in field.name
}
"""How lists of whole plans call each field."""


def setting_text(name: str, text: str) -> str:
    """A value of a plan's field as people read it: nothing set is said as what it means."""
    if text != "none":
        return text
    return "all (keep-alive)" if name == "requests_per_connection" else shown.NONE
