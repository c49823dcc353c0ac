"""Every field of a plan as people read and type it: label, units, name on page and command line, help.

One table for the form, the command line's flags, lists of a plan's figures and comparisons. What a field means is said
in the docstring of `LoadPlan`, which schema and reference show; what it accepts, `LoadPlan` alone judges.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanField:
    """One field.

    name: of `LoadPlan`; with a dot for a part of one, as "pattern.low". label, unit: in lists of a plan's figures.
    word: by which page and command line know it, "" when it is set in files alone. help: of the flag `--word`, "" when
    there is no such flag. form_label: where the form asks with another label. form_unit, per_unit: in which unit
    the form takes a number, and how many of these are one of the plan's.
    """

    name: str
    label: str
    word: str = ""
    unit: str = ""
    help: str = ""
    form_label: str = ""
    form_unit: str = ""
    per_unit: int = 1

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


PLAN_FIELDS = (
    PlanField("target_url", "Target", "target", help='A URL, "demo", or "simulated".'),
    PlanField("users", "Users", "users", help="Concurrent users."),
    PlanField("spawn_rate", "Spawn rate", "spawn-rate", "users/s", "Users started a second."),
    PlanField("duration_s", "Duration", "duration", "s", "Seconds, spawning included."),
    PlanField(
        "until",
        "Ends",
        "until",
        help='When it ends: "duration", or as soon as it is "decided", at most after the duration.',
    ),
    PlanField(
        "requests_per_connection",
        "Requests per connection",
        "requests-per-connection",
        help='A new connection after so many; "null" for keep-alive.',
    ),
    PlanField("warm_up_s", "Warm-up", "warm-up", "s", "Seconds that are not judged."),
    PlanField(
        "think_time_s",
        "Think time",
        "think-time",
        "s",
        "Seconds between an answer and the next request.",
        form_unit="ms",
        per_unit=1_000,
    ),
    PlanField("timeout_s", "Timeout", "timeout", "s", "Seconds for one request."),
    PlanField(
        "pod_header",
        "Pod header",
        "pod-header",
        help="Response header in which a pod gives its name.",
        form_label="Response header with the pod's name",
    ),
    PlanField("alert_rule", "Alert on", "alert-rule"),
    PlanField(
        "max_pod_share",
        "Largest pod share",
        "max-pod-share",
        form_label="Alert above pod share",
        form_unit="%",
        per_unit=100,
    ),
    PlanField("max_p95_ms", "Highest p95", "max-p95", "ms", form_label="Alert above p95"),
    PlanField(
        "max_failure_share",
        "Largest failed share",
        "max-failures",
        form_label="Alert above failures",
        form_unit="%",
        per_unit=100,
    ),
    PlanField("pattern", "Pattern", "pattern"),
    PlanField(
        "arrivals_per_s",
        "Arrivals per second",
        "arrivals",
        help="Requests a second, however slow the answers are.",
        form_label="Requests",
        form_unit="per s",
    ),
    PlanField("arrivals", "Arrivals", "arrivals-kind"),
    PlanField("method", "Method", "method", help="HTTP method."),
    PlanField("headers", "Headers", "headers", form_label="Headers, one a line"),
    PlanField("body", "Body", "body", help="What each request sends."),
    PlanField("verify_tls", "Verify TLS", "tls", form_label="Certificates"),
    PlanField("ca_pem", "Authorities to trust", "ca-pem", form_label="Authorities to trust, as PEM"),
    PlanField("dns", "Name resolved per", "dns", form_label="Name is resolved"),
    PlanField("locustfile", "Locustfile"),
    PlanField("gate", "Thresholds"),
    PlanField("service", "Kubernetes Service", "service", help="Kubernetes Service, namespace/name."),
    PlanField("processes", "Load-generating processes"),
    PlanField("counting", "Counted by", "counting", form_label="Requests per pod from"),
    PlanField("json_field", "JSON field with the pod's name", "json-field"),
    PlanField("counter_name", "Prometheus counter"),
    PlanField("log_pattern", "Access log format"),
    PlanField("proxy_pods", "Proxy's pods"),
    PlanField("enter_pods", "May run in the pods"),
    PlanField("remote_workers", "Workers of other machines"),
    PlanField("gate.baseline", "Baseline", "baseline", help="Name of the run that this one may not be worse than."),
    PlanField("pattern.low", "Lowest load", "low", form_unit="%", per_unit=100),
    PlanField("pattern.period_s", "Length", "period", "s"),
    PlanField("pattern.steps", "Steps", "steps"),
    PlanField("pattern.begins_s", "Begins at", "begins", "s"),
    PlanField("pattern.points", "Seconds and percent, a pair a line", "points"),
)
FIELDS = {field.name: field for field in PLAN_FIELDS}
"""The same by name."""
