"""One run at one second. Made once; page, API, command line and reports show it and compute nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from scale_app.domain.alert import Alert
from scale_app.domain.balance import Balance
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.counting import Counting
from scale_app.domain.histogram import LatencyCounts
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.source import Source as Source
from scale_app.domain.verdict import Verdict
from scale_app.domain.work import WorkBalance

Certainty = Literal["certain", "likely", "possible"]
Explains = Literal["uneven", "open", "aside"]

MOST_PODS_NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that fits the facts.

    code: stable name for programs. title: one line. cause, evidence: one sentence each, the latter with the numbers.
    certainty: "certain" if a setting or a counter shows it, "likely" if the counts leave hardly any other explanation,
        "possible" if they fit.
    remedy: one or two sentences. patch: a patch for a manifest (YAML), "" if none would help.
    pods: the pods concerned, at most MOST_PODS_NAMED of them.
    explains: why the work is "uneven", why that is "open", or, "aside", neither.
    over_s: when it was seen last, in seconds of the load, for a cause that was certain and is over; else None.
    """

    code: str
    title: str
    cause: str
    evidence: str
    certainty: Certainty
    remedy: str
    patch: str = ""
    pods: tuple[str, ...] = ()
    explains: Explains = "uneven"
    over_s: float | None = None


class RunState(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def active(self) -> bool:
        """True while the run has, or is about to have, a load generator."""
        return self in MOVES


MOVES: Mapping[RunState, frozenset[RunState]] = {
    RunState.STARTING: frozenset({RunState.RUNNING, RunState.STOPPING, RunState.FAILED}),
    RunState.RUNNING: frozenset({RunState.STOPPING, RunState.FINISHED, RunState.FAILED}),
    RunState.STOPPING: frozenset({RunState.STOPPED, RunState.FAILED}),
}
"""The states that may follow each active state; the others are ends."""


@dataclass(frozen=True, slots=True)
class PodShare:
    """One eligible pod since the run's start.

    share: of the requests assigned to pods, 0..1. against_fair: share divided by its expected share, minus 1.
    requests_per_s: over the recent window. residual: standardised, in standard deviations of chance.
    outlier: further from its fair share than chance explains.
    mean_ms, p95_ms: of the recent window. in_flight: requests in flight on average (Little's law), recent window.
    slow: slower than the other pods beyond chance, recent window. failing: fails more, since the start.
    zone: "" when unknown. restarts: of its containers. cpu_cores, memory_bytes: used, 15 to 30 s old; not scored.
    expected: its fair share of the requests that were answered while it was ready; 0 for a pod that was never ready.
        None if an earlier version did not store it.
    unanswered: requests that got no answer and are put down to this pod, which is ready and does not answer.
    """

    name: str
    node: str
    ready: bool
    requests: int
    share: float
    against_fair: float
    connections: int
    requests_per_s: float
    p95_ms: float | None
    failures: int
    residual: float | None = None
    outlier: bool = False
    mean_ms: float | None = None
    in_flight: float | None = None
    slow: bool = False
    failing: bool = False
    zone: str = ""
    restarts: int = 0
    cpu_cores: float | None = None
    memory_bytes: int | None = None
    expected: float | None = None
    unanswered: int = 0

    @property
    def failed(self) -> int:
        """Its answers that were errors, and the answers that it did not give."""
        return self.failures + self.unanswered


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run at one second.

    seq: position among the run's events, rising. at_epoch_s: wall clock. elapsed_s, remaining_s: of the load.
    message: why the run failed, when it was decided, what it waits for, or a problem of its load generator, else "".
    requests: that ended; failures: of them; errors: {cause: requests}; unattributed: ended without naming a pod.
    alerts: all that are on; alert: the one on the balance, or None.
    findings: causes that fit: those that explain uneven work first, then what leaves it open, each the surest first.
    service: the settings of the target's Service, None when unknown.
    pods_problem: sentences on what is not visible of the target's pods, "" for nothing.
    balance, verdict and the counts: since the start, or since the end of the warm-up if the plan has one.
    recent_*: of the last ten seconds; minute_*: of the last sixty. Latencies: of the recent window; whole_*: of all
        answers since the start or the end of the warm-up, whose histogram is `latencies`.
    counting: how the requests were assigned to pods, and the requests of other clients.
    roster_known: whether it is known which pods should share the work; False where `pods` are those that answered.
    """

    run_id: str
    seq: int
    at_epoch_s: float
    elapsed_s: float
    remaining_s: float
    duration_s: float
    state: RunState
    source: Source
    target_url: str
    message: str
    users: int
    requests: int
    failures: int
    unattributed: int
    requests_per_s: float
    failures_per_s: float
    connections: int
    balance: Balance
    verdict: Verdict
    recent_balance: Balance
    recent_verdict: Verdict
    minute_balance: Balance
    minute_verdict: Verdict
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    pods: tuple[PodShare, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    alert: Alert | None = None
    alerts: tuple[Alert, ...] = ()
    generator: GeneratorHealth = field(default_factory=GeneratorHealth)
    work: WorkBalance = field(default_factory=WorkBalance)
    findings: tuple[Finding, ...] = ()
    service: ServiceSettings | None = None
    pods_problem: str = ""
    whole_p50_ms: float | None = None
    whole_p95_ms: float | None = None
    whole_p99_ms: float | None = None
    counting: Counting = Counting()
    roster_known: bool = True
    latencies: LatencyCounts = LatencyCounts()


@dataclass(frozen=True, slots=True)
class Point:
    """One second of a run's history, small enough to keep an hour of it: what the time charts draw."""

    elapsed_s: float
    score: float | None
    recent_score: float | None
    requests_per_s: float
    failures_per_s: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    users: int


def point_of(snapshot: Snapshot) -> Point:
    return Point(
        snapshot.elapsed_s,
        snapshot.balance.score,
        snapshot.recent_balance.score,
        snapshot.requests_per_s,
        snapshot.failures_per_s,
        snapshot.p50_ms,
        snapshot.p95_ms,
        snapshot.p99_ms,
        snapshot.users,
    )
