"""The alert on an imbalance: it begins on evidence and ends on evidence, so it needs no hysteresis.

It is raised when the evidence against a fair balancer is ALERT_FROM since the start, or since the last such alert was
over: a fair balancer does so in at most one run of ALERT_FROM. In the last 10 or 60 seconds, another window at each
look, it takes SLIDING_ALERT_FROM: looked at every second, a fair one does so in less than one of 100 hours.

It is over when the last 10 or 60 seconds refute that half of the imbalance is left: their picks are OVER_FROM times
likelier under the fair shares than under shares half-way to those of the alert. Too few picks to tell end nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scale_app.domain.alert import Reading
from scale_app.domain.balance import CV_THRESHOLD, THRESHOLD, Balance, cv_squared
from scale_app.domain.chance import residuals
from scale_app.domain.numerics import np
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.domain.window import Figures, Window

ALERT_FROM = 1e4
SLIDING_ALERT_FROM = 1e6
OVER_FROM = 100.0
STILL_UNEVEN_FROM = 1.0
LEAST_PART = 0.02
LEAST_PICKS = 20.0
STANDS_OUT_FROM = 0.5
SCORE_STEP_CV = 0.025
NOISE_STEPS = 4.0
UNCLEAR = Reading("unclear", THRESHOLD)


@dataclass(frozen=True, slots=True)
class _Look:
    """One window with its verdict."""

    window: Window
    verdict: Verdict

    @property
    def odds(self) -> float:
        return alert_odds(self.verdict, self.window.sliding)


def alert_odds(verdict: Verdict, sliding: bool) -> float:
    """How far the evidence is beyond what an alert takes; from 1 on it is one. sliding: see Window."""
    if verdict.evidence_uneven is None or verdict.kind is not VerdictKind.UNEVEN:
        return 0.0
    return verdict.evidence_uneven / (SLIDING_ALERT_FROM if sliding else ALERT_FROM)


class ImbalanceRule:
    """One run's rule. It remembers which pods the alert that is on is about."""

    def __init__(self) -> None:
        self._ratios: Mapping[str, float] = {}

    def reading(self, figures: Figures, active: bool) -> Reading:
        """What the figures say to an alert that is on (active) or off. Total."""
        if active:
            return self._of_active(figures)
        worst = max(_looks(figures), key=lambda look: look.odds)
        if worst.odds < 1:
            return UNCLEAR
        self._ratios = _ratios(worst)
        return _bad(figures.recent_balance, worst.verdict)

    def _of_active(self, figures: Figures) -> Reading:
        if over := self._over(figures):
            return Reading("good", THRESHOLD, over, at_once=True)
        # An update tells the present figures, not those of a longer time in which they were worse or better.
        if figures.recent_verdict.kind is not VerdictKind.UNEVEN:
            return UNCLEAR
        return _bad(figures.recent_balance, figures.recent_verdict)

    def _over(self, figures: Figures) -> str:
        """Why the imbalance is over, one complete sentence; "" while that is open."""
        recent = _Look(figures.recent, figures.recent_verdict)
        if len(figures.recent.eligible) == 1 and figures.recent.attributed:
            return "The imbalance is over: there is one pod now, so nothing to share."
        for look in (recent, _Look(figures.minute, figures.minute_verdict)):
            if (look.verdict.evidence_uneven or math.inf) > STILL_UNEVEN_FROM:
                return ""
            if sentence := self._refuted(look, figures.recent_balance):
                return sentence
        return ""

    def _refuted(self, look: _Look, now: Balance) -> str:
        window, n = look.window, look.verdict.effective_picks or 0.0
        names, attributed = window.eligible, window.attributed
        if len(names) < 2 or not attributed or n < LEAST_PICKS:
            return ""
        fair = np.array([window.expected[name] for name in names])
        fair = fair / fair.sum()
        half = fair * np.maximum(1 + (np.array([self._ratios.get(name, 1.0) for name in names]) - 1) / 2, LEAST_PART)
        half = half / half.sum()
        if cv_squared(half, fair) < CV_THRESHOLD**2:
            return "The imbalance is over: the pods that it was about share the work no more."
        parts = np.array([window.pods[name].requests for name in names]) / attributed
        if n * float(parts @ np.log(fair / half)) < math.log(OVER_FROM):
            return ""
        score = "" if now.score is None else f" (score now {now.score:.2f})"
        return (
            f"The imbalance is over: the last {window.seconds:.0f} seconds are more than {OVER_FROM:.0f} times "
            f"likelier with even work than with half of the imbalance{score}."
        )


def _looks(figures: Figures) -> list[_Look]:
    """Those that begin after the last alert was over: what was before it is no evidence for another one."""
    since = _Look(figures.since_alert, figures.since_alert_verdict)
    sliding = (_Look(figures.recent, figures.recent_verdict), _Look(figures.minute, figures.minute_verdict))
    return [*(look for look in sliding if look.window.seconds <= since.window.seconds), since]


def _ratios(look: _Look) -> dict[str, float]:
    """Share over fair share of the pods that the imbalance is about: those that stand out at least half as far as the
    one that does most. What one gets too much or too little, the others share."""
    window = look.window
    due, attributed = sum(window.expected.values()), window.attributed
    counts = {name: window.pods[name].requests for name in window.eligible}
    z, _ = residuals(list(counts.values()), [window.expected[name] for name in counts], look.verdict.effective_picks)
    ratios = {name: count / attributed / (window.expected[name] / due) for name, count in counts.items()}
    far = abs(z) >= STANDS_OUT_FROM * abs(z).max()
    return {name: ratios[name] for name, is_far in zip(counts, far.tolist(), strict=True) if is_far}


def _bad(now: Balance, verdict: Verdict) -> Reading:
    return Reading(
        "bad",
        THRESHOLD,
        verdict.sentence,
        value=now.score,
        balance_score=now.score,
        measure=now.cv or 0.0,
        step=step_of(now, verdict.effective_picks),
        at_once=True,
    )


def step_of(balance: Balance, picks: float | None) -> float:
    """The smallest change of the CV that is worth telling. picks: effective ones."""
    return max(SCORE_STEP_CV, NOISE_STEPS * _cv_noise(balance.cv or 0.0, balance.pods, picks))


def _cv_noise(cv: float, pods: int, picks: float | None) -> float:
    """Standard deviation of the CV itself, by how far its chi-square scatters."""
    if not picks or cv <= 0:
        return 0.0
    return math.sqrt(2 * (pods - 1) + 4 * picks * cv**2) / (2 * picks * cv)
