"""The load generator itself as the limit: then latencies and rates are its own, not the pods'."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import milliseconds, percent
from scale_app.domain.samples import GeneratorHealth

BUSY_FROM = 0.9
LATE_FROM_MS = 50.0
BEHIND_FROM_MS = 50.0
PORTS_FROM = 500
SUSTAINED = 3


def find(facts: Facts) -> Finding | None:
    """One bad second is no finding: SUSTAINED samples in a row are.

    Certain where the generator itself used a core up or had no port left all that time. Being late alone may have
    another reason, such as a machine that others keep busy, so it is only likely.
    """
    last = facts.health[-SUSTAINED:]
    if len(last) < SUSTAINED or not all(_strained(health) for health in last):
        return None
    said = "; ".join(sentence for sentence in (_time(last), _schedule(last), _ports(last)) if sentence)
    evidence = f"In the last {SUSTAINED} samples {said}."
    if any(all(limit(health) for health in last) for limit in (_busy, _out_of_ports)):
        return CAUSE.found("certain", evidence)
    waited = " It had time of its own left, so it may have waited for a machine that other work keeps busy."
    return CAUSE.found("likely", evidence + waited)


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


def _time(last: Sequence[GeneratorHealth]) -> str:
    busiest, latest_ms = max(health.cpu_share for health in last), max(health.loop_lag_ms for health in last)
    return (
        f"it used up to {percent(busiest)} of a core and was up to {milliseconds(latest_ms)} late "
        f"(limits: {percent(BUSY_FROM)} and {milliseconds(LATE_FROM_MS)})"
    )


def _schedule(last: Sequence[GeneratorHealth]) -> str:
    behind_ms = max(health.schedule_lag_p99_ms for health in last)
    if behind_ms <= BEHIND_FROM_MS:
        return ""
    return f"1 % of the arrivals were sent {milliseconds(behind_ms)} or more after they were due"


def _ports(last: Sequence[GeneratorHealth]) -> str:
    left = min((health.ports_left for health in last if health.ports_left is not None), default=PORTS_FROM)
    return f"only {left:,} local ports were left for new connections" if left < PORTS_FROM else ""


CAUSE = Cause(
    code="generator_limit",
    title="The load generator is the limit",
    cause="The generator has no time or no ports left, so it sends less than planned and its latencies are too long.",
    shown_by="its share of a core, how late its loop and its arrivals are, free local ports; three samples in a row",
    remedy="Use fewer users, a longer think time or fewer new connections; or send from more processes or machines.",
    find=find,
)
