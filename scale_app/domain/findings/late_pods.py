"""Pods that joined when the connections were already open: keep-alive never brings them any."""

from __future__ import annotations

import math

from scale_app.domain.facts import DUE_TO_JUDGE, Facts
from scale_app.domain.finding import Finding
from scale_app.domain.findings.cause import Cause
from scale_app.domain.findings.wording import pods

HALF, NEARLY = 0.5, 0.75
BY_CHANCE = 3.0
"""Standard deviations of a count of picks."""


def find(facts: Facts) -> Finding | None:
    """Fires under long-lived connections, or some of them, for pods that became ready during the run and get clearly
    less than their due."""
    if not facts.changes or not facts.some_pinned:
        return None
    silent = facts.silent.pods if facts.silent else ()
    came_s = {
        change.pod: change.elapsed_s
        for change in facts.changes
        if change.change in ("joined", "ready") and change.pod not in silent
    }
    due = facts.due(came_s)
    window = facts.figures.recent
    each = window.attributed / (facts.figures.recent_verdict.effective_picks or 1.0)
    poor = [
        name
        for name in due
        if due[name] >= DUE_TO_JUDGE and window.pods[name].requests < each * _fair_from(due[name] / each)
    ]
    if not poor:
        return None
    got = sum(window.pods[name].requests for name in poor)
    connections = sum(window.pods[name].connections for name in poor)
    evidence = (
        f"Since {pods(poor)} came after {min(came_s[name] for name in poor):.0f} s, {connections:,} connections and "
        f"{got:,} of {sum(due[name] for name in poor):,.0f} due requests reached them; "
        f"a connection carries {facts.requests_each:,.0f} requests."
    )
    return CAUSE.found("likely" if connections else "certain", evidence, poor)


def _fair_from(due: float) -> float:
    """The picks that a pod has got at least which gets its share, of which so many are due."""
    return max(HALF * due, min(NEARLY * due, due - BY_CHANCE * math.sqrt(due)))


CAUSE = Cause(
    code="late_pods",
    title="New pods get no share of open connections",
    cause="A balancer picks a pod when a connection is opened, so pods that come later get only what is opened later.",
    shown_by="when a pod became ready, its connections and requests since, requests per connection",
    remedy="End connections now and then (a maximum age or number of requests), or balance per request.",
    find=find,
)
