"""When to tell people: an alert is raised, kept and cleared with hysteresis and a minimum of evidence."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.balance import THRESHOLD, Balance
from scale_app.domain.plan import AlertRule
from scale_app.domain.verdict import Verdict, VerdictKind

RAISE_BELOW_P = 1e-6
"""A healthy balancer is looked at once a second: at this level ten hours of looking raise a false alert in < 4 %."""
MIN_REQUESTS_PER_POD = 20
SAMPLES_TO_RAISE = 2
SAMPLES_TO_CLEAR = 5


@dataclass(frozen=True, slots=True)
class Alert:
    """An imbalance that people are told of.

    rule: "verdict" or "score". balance_score: of the window that raised it; threshold: what it fell below.
    message: what is wrong, one complete sentence. raised_at_s: seconds since the load began.
    """

    rule: AlertRule
    balance_score: float
    threshold: float
    message: str
    raised_at_s: float


class AlertWatch:
    """One run's alert: off, then on after enough bad samples in a row, then off after enough good ones."""

    def __init__(self, rule: AlertRule) -> None:
        self._rule = rule
        self._streak = 0
        self.active: Alert | None = None

    def observe(self, at_s: float, balance: Balance, verdict: Verdict) -> Alert | None:
        """Judge the recent window; the alert that was raised or cleared just now, or None when nothing changed."""
        if self._is_bad(balance, verdict) == (self.active is not None):
            self._streak = 0
            return None
        self._streak += 1
        if self._streak < (SAMPLES_TO_CLEAR if self.active else SAMPLES_TO_RAISE):
            return None
        self._streak = 0
        changed = self.active or _alert(self._rule, at_s, balance, verdict)
        self.active = None if self.active else changed
        return changed

    def _is_bad(self, balance: Balance, verdict: Verdict) -> bool:
        if balance.score is None or balance.requests < MIN_REQUESTS_PER_POD * balance.pods:
            return False
        if self._rule == "score":
            return not balance.balanced
        sure = verdict.p_uneven is not None and verdict.p_uneven < RAISE_BELOW_P
        return verdict.kind is VerdictKind.UNEVEN and sure


def _alert(rule: AlertRule, at_s: float, balance: Balance, verdict: Verdict) -> Alert:
    assert balance.score is not None
    below = f"The balance score of the last seconds is {balance.score:.2f}, below {THRESHOLD:.2f}."
    message = verdict.sentence if rule == "verdict" else below
    return Alert(rule, balance.score, THRESHOLD, message, at_s)
