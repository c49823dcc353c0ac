"""Slow pods by how much they got: whether slowness made their share, or their share made them slow."""

from __future__ import annotations

from statistics import median

from scale_app.domain.facts import Facts
from scale_app.domain.findings.wording import milliseconds
from scale_app.domain.snapshot import PodShare

MORE_FROM = 0.2


def slow_rows(facts: Facts, *, overloaded: bool) -> list[tuple[PodShare, float]]:
    """Slow pods with clearly more than their share (or the other ones), each with share over due minus 1."""
    slow = {row.name: row for row in facts.rows if row.slow}
    if not slow:
        return []
    pods, due = facts.figures.recent.pods, facts.due(slow)
    against = {name: pods[name].requests / due[name] - 1 for name in due if due[name] > 0}
    return [(slow[name], excess) for name, excess in against.items() if (excess >= MORE_FROM) is overloaded]


def compared(row: PodShare, against_due: float, facts: Facts) -> str:
    """The numbers of one slow pod beside the others'."""
    usual_ms = median(other.mean_ms for other in facts.rows if not other.slow and other.mean_ms is not None)
    hand = f", with {row.in_flight:.2g} requests in hand" if row.in_flight is not None else ""
    return (
        f"{row.name} answered in {milliseconds(row.mean_ms or 0.0)} on average where the others' median is "
        f"{milliseconds(usual_ms)}, and got {against_due:+.0%} against its fair share lately{hand}."
    )
