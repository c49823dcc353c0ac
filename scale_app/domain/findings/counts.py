"""Causes in the counts themselves, which come before any about the balancer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from scale_app.domain.findings.facts import Facts, Found, cause, percent
from scale_app.domain.samples import NO_FREE_PORT, GeneratorHealth
from scale_app.domain.snapshot import Explains
from scale_app.domain.verdict import COVERAGE_FLOOR
from scale_app.domain.verdict_sentence import milliseconds

ANSWERS_TO_JUDGE = 20


@cause(
    code="pods_not_named",
    title="Most answers do not name their pod",
    cause="The pods, or a proxy in front of them, do not send the response header that names the pod.",
    shown_by="answers with the header against all answers",
    remedy="Send the pod's name in this header, or set pod_header in the plan to the header that is sent.",
    patch=(
        "spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          env:\n"
        "            - name: POD_NAME\n              valueFrom:\n                fieldRef:\n"
        "                  fieldPath: metadata.name\n"
    ),
)
def pods_not_named(facts: Facts) -> Found | None:
    """Left out is what no pod answered: requests without an answer, and errors that a proxy gave in a pod's place.

    Of redirects the verdict tells.
    """
    whole = facts.figures.whole
    answered, named = round(whole.due), whole.attributed
    if not facts.source.traits.in_answers or answered < ANSWERS_TO_JUDGE or named >= COVERAGE_FLOOR * answered:
        return None
    if whole.only_redirected:
        return None
    evidence = (
        f"{named:,} of {answered:,} answers ({percent(named / answered)}) had the header {facts.plan.pod_header}; "
        f"{percent(COVERAGE_FLOOR)} are needed."
    )
    return Found("certain", evidence, explains="open")


BUSY_FROM = 0.9
LATE_FROM_MS = 50.0
BEHIND_FROM_MS = 50.0
PORTS_FROM = 500
SUSTAINED = 3


@cause(
    code="generator_limit",
    title="The load generator is the limit",
    cause="The load generator lacks CPU time or ports: it sends less than planned, and its latencies are too long.",
    shown_by="its share of a core, the delay of its loop and of its arrivals, connections without a free local port; "
    "three samples in a row",
    remedy="Use fewer users, a longer think time or fewer new connections; or send from more processes or machines.",
)
def generator_limit(facts: Facts) -> Found | None:
    """One bad second is no finding: SUSTAINED samples in a row are.

    Certain where the generator itself used a core up or had no port left all that time. Being late alone may have
    another reason, such as a machine that others keep busy, so it is only likely. Ports that others' connections hold
    can be used again for this target, so their number tells something only where a connection found none.
    """
    no_port = facts.errors.get(NO_FREE_PORT, 0)
    last = [health if no_port else replace(health, ports_left=None) for health in facts.health[-SUSTAINED:]]
    if len(last) < SUSTAINED or not all(_strained(health) for health in last):
        return None
    said = "; ".join(sentence for sentence in (_cpu(last), _loop(last), _schedule(last), _ports(last)) if sentence)
    evidence = f"In the last {SUSTAINED} samples {said}."
    if any(all(limit(health) for health in last) for limit in (_busy, _out_of_ports)):
        return Found("certain", evidence, explains="open")
    waited = " It had CPU time left, so other work may keep this machine busy."
    return Found("likely", evidence + waited, explains="open")


def _strained(health: GeneratorHealth) -> bool:
    return any(limit(health) for limit in LIMITS)


def _busy(health: GeneratorHealth) -> bool:
    return health.cpu_share >= BUSY_FROM


def _out_of_ports(health: GeneratorHealth) -> bool:
    return health.ports_left is not None and health.ports_left < PORTS_FROM


LIMITS: tuple[Callable[[GeneratorHealth], bool], ...] = (
    _busy,
    _out_of_ports,
    lambda health: health.loop_lag_ms > LATE_FROM_MS,
    lambda health: health.schedule_lag_p99_ms > BEHIND_FROM_MS,
)


def _cpu(last: Sequence[GeneratorHealth]) -> str:
    busiest = max(health.cpu_share for health in last)
    return f"it used up to {percent(busiest)} of a core (limit {percent(BUSY_FROM)})" if busiest >= BUSY_FROM else ""


def _loop(last: Sequence[GeneratorHealth]) -> str:
    latest_ms = max(health.loop_lag_ms for health in last)
    if latest_ms <= LATE_FROM_MS:
        return ""
    return f"it was up to {milliseconds(latest_ms)} late (limit {milliseconds(LATE_FROM_MS)})"


def _schedule(last: Sequence[GeneratorHealth]) -> str:
    behind_ms = max(health.schedule_lag_p99_ms for health in last)
    if behind_ms <= BEHIND_FROM_MS:
        return ""
    return f"1 % of the arrivals were sent {milliseconds(behind_ms)} or more after they were due"


def _ports(last: Sequence[GeneratorHealth]) -> str:
    left = min((health.ports_left for health in last if health.ports_left is not None), default=PORTS_FROM)
    return f"only {left:,} local ports were left for new connections" if left < PORTS_FROM else ""


NOTICED_FROM = 0.01
REQUESTS_TO_JUDGE = 20


@cause(
    code="foreign_traffic",
    title="Other clients load the same pods",
    cause="The pods also serve other clients, whose requests their counters include.",
    shown_by="requests that the pods counted beyond those that this run sent",
    remedy="Count by the answers to this run's own requests, or run when nobody else uses the pods.",
)
def foreign_traffic(facts: Facts) -> Found | None:
    """Silent when the pods' own counts are unknown, and for a share that a health probe makes.

    Each user may have one answer that its pod has counted and the generator has not read yet, so that many are no news.
    """
    foreign = {name: requests for name, requests in (facts.excess or {}).items() if requests > 0}
    extra = max(sum(foreign.values()), facts.others or 0)
    window = facts.figures.whole
    ours = window.attributed if facts.source.traits.in_answers else min(window.attributed, round(window.due))
    if extra < max(REQUESTS_TO_JUDGE, facts.plan.users + 1, NOTICED_FROM * (ours + extra)):
        return None
    part = percent(extra / (ours + extra))
    evidence = f"The pods counted {ours + extra:,} requests, {extra:,} of them ({part}) not from this run."
    explains: Explains = "aside" if facts.source.traits.in_answers else "uneven"
    return Found("certain", evidence, sorted(foreign, key=lambda name: -foreign[name]), explains)
