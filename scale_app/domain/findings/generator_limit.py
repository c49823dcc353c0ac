"""The load generator itself as the limit: then latencies and rates are its own, not the pods'."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import milliseconds, percent
from scale_app.domain.samples import GeneratorHealth

BUSY_FROM = 0.9
LATE_FROM_MS = 50.0
SUSTAINED = 3


def find(facts: Facts) -> Finding | None:
    """One bad second is no finding: SUSTAINED samples in a row are."""
    last = facts.health[-SUSTAINED:]
    if len(last) < SUSTAINED or not all(_strained(health) for health in last):
        return None
    busiest, latest_ms = max(health.cpu_share for health in last), max(health.loop_lag_ms for health in last)
    evidence = (
        f"In the last {SUSTAINED} samples it used up to {percent(busiest)} of a core and was up to "
        f"{milliseconds(latest_ms)} late (limits: {percent(BUSY_FROM)} and {milliseconds(LATE_FROM_MS)})."
    )
    return CAUSE.found("certain", evidence)


def _strained(health: GeneratorHealth) -> bool:
    return health.cpu_share >= BUSY_FROM or health.loop_lag_ms > LATE_FROM_MS


CAUSE = Cause(
    code="generator_limit",
    title="The load generator is the limit",
    cause="The generator's own process has no time left, so it sends less than planned and its latencies are too long.",
    shown_by="the generator's share of a core and how late its loop wakes, three samples in a row",
    remedy="Use fewer users, a longer think time or fewer new connections; or run it on a machine with a free core.",
    find=find,
)
