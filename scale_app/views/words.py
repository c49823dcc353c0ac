"""Names that people read for states, sources, verdicts and choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from scale_app.domain.alert import AlertKind
from scale_app.domain.compare import Change
from scale_app.domain.demo import Fault, Policy
from scale_app.domain.gating import Outcome
from scale_app.domain.pattern import PatternKind
from scale_app.domain.plan import AlertRule, Arrivals, DnsPolicy, Until
from scale_app.domain.snapshot import Certainty, RunState
from scale_app.domain.source import AskedSource, Source
from scale_app.domain.verdict import VerdictKind
from scale_app.views import format as shown

STATES = {
    RunState.STARTING: "Starting",
    RunState.RUNNING: "Running",
    RunState.STOPPING: "Stopping",
    RunState.FINISHED: "Finished",
    RunState.STOPPED: "Stopped",
    RunState.FAILED: "Failed",
    RunState.INTERRUPTED: "Interrupted",
}

CHANGED_STATES = {
    RunState.STARTING: "Run requested.",
    RunState.RUNNING: "Sending load.",
    RunState.STOPPING: "Stop requested.",
    RunState.FINISHED: "Finished: duration reached.",
    RunState.STOPPED: "Stopped.",
    RunState.FAILED: "Failed.",
    RunState.INTERRUPTED: "Interrupted.",
}
"""What is said when a run turns to a state and gives no reason."""

VERDICTS = {
    VerdictKind.EVEN: "Even",
    VerdictKind.UNEVEN: "Uneven",
    VerdictKind.UNDECIDED: "Undecided",
    VerdictKind.NO_DATA: "No data",
}

ALERTS: dict[AlertKind, str] = {
    "verdict": "Imbalance",
    "score": "Imbalance",
    "pod_share": "Pod share",
    "p95": "Latency",
    "failures": "Failures",
}

CHANGES = {
    Change.BETTER: "Better",
    Change.WORSE: "Worse",
    Change.CHANCE: "No more than chance",
}

GENERATOR_NOTES: dict[Certainty, str] = {
    "certain": "The load generator is the limit.",
    "likely": "The load generator may be the limit.",
    "possible": "The load generator may be the limit.",
}

CERTAINTIES: dict[Certainty, str] = {"certain": "Certain", "likely": "Likely", "possible": "Possible"}

ALERT_RULES: dict[AlertRule, tuple[str, str]] = {
    "verdict": ("Imbalance beyond chance", "Alerts only when chance cannot explain the imbalance."),
    "score": ("Every score below 0.95", "Alerts on every score below 0.95, even if chance explains it."),
}

UNTIL: dict[Until, tuple[str, str]] = {
    "duration": ("After the duration", "Runs for the whole duration, then gives the verdict."),
    "decided": ("As soon as decided", "Stops once the verdict is even or uneven, at the latest after the duration."),
}

CONNECTIONS = {
    "keep": ("Keep-alive", "Each user keeps one connection, so a layer-4 balancer picks a pod once per user."),
    "some": (
        "Reconnect every N requests",
        "Each user opens a new connection after this many requests, as real clients do.",
    ),
    "each": ("New connection per request", "Every request opens a connection, so the balancer picks a pod each time."),
}

MODELS = {
    "closed": (
        "Closed model: users wait",
        "Each user waits for its answer before it sends again: slow answers mean fewer requests.",
    ),
    "open": (
        "Open model: on schedule",
        "Requests arrive on schedule, however slow the answers are.",
    ),
}

ARRIVALS: dict[Arrivals, tuple[str, str]] = {
    "constant": ("Evenly spaced", "The time between requests is always the same."),
    "poisson": ("Random (Poisson)", "As from many independent clients."),
}

PATTERNS: dict[PatternKind, tuple[str, str]] = {
    "constant": ("Constant", "Full load all the time."),
    "ramp": ("Ramp", "Rises evenly from the lowest load to full load, then stays there."),
    "steps": ("Steps", "Rises in equal steps, each of the given length."),
    "spike": ("Spike", "The lowest load, with full load once for the given length."),
    "wave": ("Wave", "Up and down between the lowest load and full load, once per given length."),
    "replayed": ("Replayed", "Follows the recorded points; each holds until the next."),
}

TLS = {
    "verify": ("Verify", "A request fails if the certificate cannot be verified."),
    "any": ("Accept any", "Certificates are not verified. For test environments only."),
}

DNS: dict[DnsPolicy, tuple[str, str]] = {
    "connection": ("For each connection", "As many clients do. It loads the name server as well."),
    "second": ("At most once a second", "Follows a name that changes, with little load on the name server."),
    "once": ("Once per run", "All connections use the addresses found at the start."),
}

COUNTING: dict[AskedSource, tuple[str, str]] = {
    "auto": ("Automatic", "Scale uses the most exact source that works, and shows which one."),
    **{cast(AskedSource, source.value): source.traits.choice for source in Source if source.traits.choice},
}

POLICIES = {
    Policy.RANDOM: ("Random", "Each pod is equally likely, as with kube-proxy."),
    Policy.ROUND_ROBIN: ("Round robin", "Pods in turn."),
    Policy.LEAST_CONNECTIONS: ("Least connections", "The pod with the fewest open connections."),
    Policy.SOURCE_STICKY: ("Sticky by source", "The same client address always gets the same pod."),
    Policy.WEIGHTED: ("Weighted", "The first pod gets its weight times what each other pod gets."),
    Policy.SOURCE_HASH: ("Source hash", "A proxy that hashes the client's address: one client, one pod."),
    Policy.LOCAL: ("Local node only", "internalTrafficPolicy Local: only pods on the client's node."),
    Policy.PREFER_SAME_NODE: ("Same node preferred", "trafficDistribution: the client's node, if it has a ready pod."),
    Policy.LAYER7_ROUND_ROBIN: ("Round robin per request", "A layer-7 proxy: the next pod for each request."),
}

FAULTS = {
    Fault.NONE: ("No fault", "All pods answer alike."),
    Fault.SLOW_POD: ("One slow pod", "The first pod takes longer to answer."),
    Fault.FAILING_POD: ("One failing pod", "The first pod answers with errors."),
    Fault.OVERLOADED_POD: ("One busy pod", "The first pod handles one request at a time. Try it with a weight."),
    Fault.FAST_FAILING_POD: ("One pod fails fast", "The first pod fails at once; the others take 20 ms to answer."),
}


def allowed_sentence(networks: Sequence[str]) -> str:
    """What the allow-list says to a target that may be loaded. networks: CIDR; () when nothing is sent out."""
    if not networks:
        return ""
    places = ", ".join(network.removesuffix("/32").removesuffix("/128") for network in networks[:3])
    more = f" and {len(networks) - 3} more" if len(networks) > 3 else ""
    return f"Allowed: load may be sent to {places}{more}."


def connection_text(requests_per_connection: int | None) -> str:
    """A plan's connection policy."""
    if requests_per_connection is None:
        return CONNECTIONS["keep"][0]
    if requests_per_connection == 1:
        return CONNECTIONS["each"][0]
    return f"Reconnect every {shown.count(requests_per_connection)} requests"


CHECK_NAMES = {
    "score": "Score",
    "verdict": "Verdict",
    "pod_share": "Share of one pod",
    "p95_ms": "Latency p95",
    "p99_ms": "Latency p99",
    "failure_share": "Failed requests",
    "pods": "Pods",
    "baseline": "Baseline",
}
"""A threshold of a plan as people call it."""
OUTCOMES = {Outcome.PASSED: "Passed", Outcome.WARNED: "Warned", Outcome.FAILED: "Failed"}
