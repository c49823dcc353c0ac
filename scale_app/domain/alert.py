"""When to tell people: an alert is raised, kept and cleared with hysteresis and a minimum of evidence."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Alert:
    """An imbalance that people are told of.

    rule: "verdict" or "score". balance_score: of the window that raised it; threshold: what it fell below.
    message: what is wrong, one complete sentence.
    """

    rule: str
    balance_score: float
    threshold: float
    message: str
    raised_at_s: float
