"""When to tell people: an alert is raised, updated and cleared with hysteresis and a minimum of evidence.

What a rule finds bad is decided in alert_rules.py; here is only what all rules share: how long, how often, once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from scale_app.domain.verdict_sentence import percents

SAMPLES_TO_RAISE = 2
SAMPLES_TO_CLEAR = 5
UPDATE_EVERY_S = 10.0

AlertKind = Literal["verdict", "score", "pod_share", "p95", "failures"]
ReadingState = Literal["bad", "good", "unclear"]
BALANCE_KINDS: tuple[AlertKind, ...] = ("verdict", "score")


@dataclass(frozen=True, slots=True)
class Alert:
    """A message to people.

    rule: "verdict" or "score" (an imbalance), "pod_share", "p95" or "failures" (a limit of the plan).
    balance_score: of the recent window, None when it has none. message: what is wrong, one complete sentence.
    raised_at_s: seconds since the load began. value: what is compared with the threshold, in the rule's unit: a score,
    a share of requests (0..1), milliseconds, a share of requests. over: why it ended, "" while it is on or if the
    rule's standard sentence says it.
    """

    rule: AlertKind
    balance_score: float | None
    threshold: float
    message: str
    raised_at_s: float
    value: float | None = None
    over: str = ""

    @property
    def on_balance(self) -> bool:
        """True for the imbalance that the specification's alert is about."""
        return self.rule in BALANCE_KINDS

    @property
    def cleared(self) -> str:
        """What to say when it is over, one complete sentence."""
        if self.over:
            return self.over
        _, limit = percents(0, self.threshold)
        sentences: dict[AlertKind, str] = {
            "pod_share": f"No pod answers more than {limit} of the requests now.",
            "p95": f"Latency p95 is no longer above {self.threshold:,.0f} ms.",
            "failures": f"No more than {limit} of the requests fail now.",
        }
        return sentences.get(self.rule, "The imbalance is over.")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rule says of the recent window.

    state: "bad" is surely over the limit, "good" is not over it; "unclear" lies between or has too little to go by,
        and changes nothing. measure: grows as it gets worse. step: the smallest change of it that is worth telling.
    subject: whom it is about; another one is worth telling, too. at_once: it is evidence enough by itself, no others
    like it need follow. message: of a good one, why it is over. The rest: see Alert.
    """

    state: ReadingState
    threshold: float
    message: str = ""
    value: float | None = None
    balance_score: float | None = None
    measure: float = 0.0
    step: float = 0.0
    subject: str = ""
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class AlertChange:
    """alert: as it is now; when cleared, as it was last."""

    kind: Literal["raised", "updated", "cleared"]
    alert: Alert


class AlertWatch:
    """One rule of one run: off, then on after enough bad samples in a row, then off after enough good ones."""

    def __init__(self, rule: AlertKind) -> None:
        self._rule = rule
        self._streak = 0
        self._told: Reading | None = None
        self._told_at_s = 0.0
        self.active: Alert | None = None

    def observe(self, at_s: float, reading: Reading) -> AlertChange | None:
        """Judge one sample; what changed just now, or None when nothing did."""
        if reading.state != ("good" if self.active else "bad"):
            self._streak = 0
            return self._update(at_s, reading)
        self._streak += 1
        needed = 1 if reading.at_once else SAMPLES_TO_CLEAR if self.active else SAMPLES_TO_RAISE
        if self._streak < needed:
            return None
        self._streak = 0
        return self._clear(self.active, reading) if self.active else self._raise(at_s, reading)

    def _raise(self, at_s: float, reading: Reading) -> AlertChange:
        self.active = Alert(self._rule, reading.balance_score, reading.threshold, reading.message, at_s, reading.value)
        self._told, self._told_at_s = reading, at_s
        return AlertChange("raised", self.active)

    def _clear(self, alert: Alert, reading: Reading) -> AlertChange:
        self.active = self._told = None
        return AlertChange("cleared", replace(alert, over=reading.message if reading.at_once else ""))

    def _update(self, at_s: float, reading: Reading) -> AlertChange | None:
        if not self.active or not self._told or reading.state != "bad" or at_s - self._told_at_s < UPDATE_EVERY_S:
            return None
        changed = abs(reading.measure - self._told.measure) >= max(reading.step, self._told.step)
        if not changed and reading.subject == self._told.subject:
            return None
        self._told, self._told_at_s = reading, at_s
        self.active = replace(
            self.active, balance_score=reading.balance_score, message=reading.message, value=reading.value
        )
        return AlertChange("updated", self.active)
