"""Too little evidence to say anything."""

from __future__ import annotations

from scale_app.domain.facts import Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.verdict import PICKS_PER_POD, VerdictKind
from scale_app.domain.verdict_sentence import count, rounded


def find(facts: Facts) -> Finding | None:
    """Fires below PICKS_PER_POD effective picks a pod; long connections have a finding of their own."""
    verdict, pods = facts.figures.verdict, facts.figures.balance.pods
    picks = verdict.effective_picks
    if verdict.kind is not VerdictKind.UNDECIDED or picks is None or picks >= PICKS_PER_POD * pods:
        return None
    if verdict.more_even_than_chance or facts.long_lived:
        return None
    unit = verdict.unit
    more = verdict.picks_to_decide
    needed = f"; about {count(rounded(more), f'more {unit}')} would decide" if more else ""
    least = PICKS_PER_POD * pods
    evidence = f"{count(round(picks), f'effective {unit}')} for {pods} pods, where {least:,} are the least{needed}."
    return CAUSE.found("certain", evidence)


CAUSE = Cause(
    code="too_few_connections",
    title="Too few connections to judge",
    cause="The balancer has decided too seldom: what was seen is mostly chance.",
    shown_by="effective connections (Kish) for the number of pods",
    remedy="Run longer, with more users, or with a new connection for each request.",
    find=find,
)
