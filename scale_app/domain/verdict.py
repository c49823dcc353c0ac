"""Even, uneven or undecided: what the score means once chance is taken out.

A layer-4 balancer picks a pod per connection, so even a perfect one scatters; docs/statistics.md says how the
verdict allows for that and docs/calibration.md how often it errs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np

from scale_app.domain import chance, verdict_sentence
from scale_app.domain.balance import CV_THRESHOLD, THRESHOLD, Array, counted, cv_squared, score_of, shares
from scale_app.domain.chance import TAIL
from scale_app.domain.connections import Loads
from scale_app.domain.picks import Picks, Unit, picks_of
from scale_app.domain.residuals import residuals

__all__ = ["COVERAGE_FLOOR", "Verdict", "VerdictKind", "judge", "residuals"]

COVERAGE_FLOOR = 0.95
PICKS_PER_POD = 5
PICKS_PER_POD_TO_SEE_SKEWNESS = 20
SUPPOSED_SKEWNESS = 1.5  # of five pods of which one is hot
SPARSE_TAIL = 0.01
STRICT_ALPHA = 0.001


class VerdictKind(StrEnum):
    EVEN = "EVEN"
    UNEVEN = "UNEVEN"
    UNDECIDED = "UNDECIDED"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one window.

    effective_picks: independent decisions of the balancer that the counts are worth, see domain/picks.py.
    unit: what decided, "connection", "request" or, between the two, "pick"; "" where nothing is judged.
    noise_cv: the CV that chance alone gives; noise_score: the score that it gives.
    long_run_cv: the balancer's own unevenness, chance taken out; cv_low..cv_high its 95 % interval;
    score_low..score_high the same interval as scores.
    p_uneven: chance that a fair balancer looks at least this uneven; p_regular: at most this uneven.
    more_even_than_chance: round robin and least connections are; their interval is the observed CV and half a pick.
    picks_to_decide: further ones of `unit`, like those so far, that would decide an UNDECIDED verdict: at the present
        long_run_cv when that is beyond chance, else if the balancer is fair, and fewer if it is not; None when it is
        decided or more would hardly help.
    connections_known: False when each request had to be taken for a pick, so the verdict may be too sure.
    sentence: the verdict for people, complete.
    """

    kind: VerdictKind
    sentence: str
    effective_picks: float | None = None
    noise_cv: float | None = None
    noise_score: float | None = None
    long_run_cv: float | None = None
    cv_low: float | None = None
    cv_high: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    p_uneven: float | None = None
    p_regular: float | None = None
    more_even_than_chance: bool = False
    picks_to_decide: int | None = None
    connections_known: bool = False
    unit: Unit | Literal[""] = ""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """parts, fair: observed and expected share per pod, shape (k,). t: Pearson's chi-square in effective picks."""

    parts: Array
    fair: Array
    picks: Picks
    df: int
    cv: float
    t: float

    @property
    def excess(self) -> float:
        """What t has beyond chance: the estimated noncentrality."""
        return max(0.0, self.t - self.df)

    @property
    def long_run_cv(self) -> float:
        return math.sqrt(self.excess / self.picks.effective)

    @property
    def skewness(self) -> float:
        """Of the pods' own shares over their expected ones, chance taken out; at least a hot pod's while unseen."""
        n, pods, cv = self.picks.effective, self.fair.size, self.long_run_cv
        least = SUPPOSED_SKEWNESS if n < PICKS_PER_POD_TO_SEE_SKEWNESS * pods else 0.0
        if cv <= 0:
            return least
        seen = float((self.fair * ((self.parts - self.fair) / self.fair) ** 3).sum())
        by_chance = 3 * cv**2 * pods / n + float((1 / self.fair).sum()) / n**2
        most = math.sqrt(float((1 / self.fair).max()))
        return max(least, min(max((seen - by_chance) / cv**3, -most), most))


@dataclass(frozen=True, slots=True)
class _Finding:
    """cv_low..cv_high: the interval that the verdict is read from."""

    cv_low: float
    cv_high: float
    p_uneven: float
    p_regular: float
    regular: bool = False

    @property
    def beyond_chance(self) -> bool:
        return self.p_uneven < STRICT_ALPHA


def judge(
    requests: Sequence[int],
    loads: Loads | Mapping[int, int] | None,
    coverage: float,
    expected: Sequence[float] | None = None,
    by_request: bool = False,
) -> Verdict:
    """The verdict on one window. Pure, total, at most about 20 ms, mostly below 1 ms. Raises nothing.

    requests: per eligible pod, shape (k,), zeros included. loads: {what each connection did: connections}, or
    {requests carried: connections} where none switched pods; None when unknown. coverage: answers ascribed to a pod
    over answers, 0..1. expected: shape (k,), shares above 0 in any unit, equal when None. by_request: the source itself
    picks for each request.
    """
    counts = counted(requests)
    pods, total = counts.size, int(counts.sum())
    if not total:
        return Verdict(VerdictKind.NO_DATA, verdict_sentence.NO_REQUEST)
    if not coverage >= COVERAGE_FLOOR:
        known = coverage if coverage > 0 else 0.0
        return Verdict(VerdictKind.NO_DATA, verdict_sentence.poor_coverage(known, COVERAGE_FLOOR))
    picks = picks_of(total, loads, by_request, (counts / total).tolist())
    if pods == 1:
        return _one_pod(picks)
    evidence = _evidence(counts / total, shares(pods, expected), picks)
    return _verdict(evidence, _regular(evidence, _sparse(evidence, _plain(evidence))))


def _one_pod(picks: Picks) -> Verdict:
    return Verdict(
        VerdictKind.EVEN,
        verdict_sentence.ONE_POD,
        effective_picks=picks.effective,
        noise_cv=0.0,
        noise_score=1.0,
        long_run_cv=0.0,
        cv_low=0.0,
        cv_high=0.0,
        score_low=1.0,
        score_high=1.0,
        p_uneven=1.0,
        p_regular=1.0,
        connections_known=picks.known,
        unit=picks.unit,
    )


def _evidence(parts: Array, fair: Array, picks: Picks) -> _Evidence:
    squared = cv_squared(parts, fair)
    return _Evidence(parts, fair, picks, fair.size - 1, math.sqrt(squared), picks.effective * squared)


def _plain(evidence: _Evidence) -> _Finding:
    """The interval where picks are many. Its upper end never profits from luck: t counts as at least df."""
    n, t, df = evidence.picks.effective, evidence.t, evidence.df
    # Few picks a pod make t lean to the right of any chi-square, hence the more careful lower end.
    below = TAIL if n >= PICKS_PER_POD * evidence.fair.size else SPARSE_TAIL
    low = math.sqrt(chance.noncentrality_bound(t, df, 1 - below) / n)
    high = math.sqrt(chance.noncentrality_bound(max(t, df), df, TAIL) / n)
    return _Finding(
        max(0.0, _widened(evidence, low)),
        _widened(evidence, high),
        chance.chance_above(t, df),
        chance.chance_at_most(t, df),
    )


def _widened(evidence: _Evidence, bound: float) -> float:
    """The bound for pods as unlike as these: the noncentral chi-square knows small differences only."""
    middle = evidence.long_run_cv
    moved = bound
    for _ in range(3):  # a fixed point, since the scatter is the one at the bound
        moved = middle + (bound - middle) * _widening(evidence, max(0.0, moved))
    return moved


def _widening(evidence: _Evidence, cv: float) -> float:
    """Standard deviation of t at this long-run CV over the one that the noncentral chi-square has, at least 1.

    A pod far above its share brings more scatter than the chi-square allows for, and so do few picks a pod.
    """
    n, df, pods = evidence.picks.effective, evidence.df, evidence.fair.size
    assumed = 2 * df + 4 * n * cv**2
    actual = assumed + 4 * n * (evidence.skewness * cv**3 - cv**4) + 6 * pods * cv**2
    return math.sqrt(max(1.0, actual / assumed))


def _sparse(evidence: _Evidence, finding: _Finding) -> _Finding:
    """With few picks a pod, unevenness counts only if the recorded picks, dealt at random, hardly ever show it."""
    n, pods = evidence.picks.effective, evidence.fair.size
    if n < PICKS_PER_POD * pods:
        alpha = STRICT_ALPHA
    elif n * float(evidence.fair.min()) < PICKS_PER_POD:
        alpha = TAIL
    else:
        return finding
    if finding.cv_low <= 0:
        return finding
    p = chance.exact_p(evidence.t, evidence.fair, evidence.picks, upper=True, alpha=alpha)
    if p is None:
        p = chance.bound_above(evidence.t, evidence.fair, n)
    return _Finding(finding.cv_low if p < alpha else 0.0, finding.cv_high, p, finding.p_regular)


def _regular(evidence: _Evidence, finding: _Finding) -> _Finding:
    """Round robin and least connections: their picks depend on one another, so chance's width does not apply."""
    if finding.p_regular >= STRICT_ALPHA:
        return finding
    n = evidence.picks.effective
    p = chance.exact_p(evidence.t, evidence.fair, evidence.picks, upper=False, alpha=STRICT_ALPHA)
    if p is None:
        p = chance.chance_below(evidence.t, evidence.fair, n)
    if p >= STRICT_ALPHA:
        return _Finding(finding.cv_low, finding.cv_high, finding.p_uneven, p)
    high = evidence.cv + chance.half_a_pick_cv(evidence.fair, n)
    return _Finding(0.0, high, finding.p_uneven, p, regular=True)


def _verdict(evidence: _Evidence, finding: _Finding) -> Verdict:
    kind = _kind(finding)
    more = _more_picks(evidence, finding) if kind is VerdictKind.UNDECIDED else None
    noise_cv = math.sqrt(evidence.df / evidence.picks.effective)
    return Verdict(
        kind,
        _sentence(kind, evidence, finding, noise_cv, more),
        effective_picks=evidence.picks.effective,
        noise_cv=noise_cv,
        noise_score=score_of(noise_cv),
        long_run_cv=evidence.long_run_cv,
        cv_low=finding.cv_low,
        cv_high=finding.cv_high,
        score_low=score_of(finding.cv_high),
        score_high=score_of(finding.cv_low),
        p_uneven=finding.p_uneven,
        p_regular=finding.p_regular,
        more_even_than_chance=finding.regular,
        picks_to_decide=more,
        connections_known=evidence.picks.known,
        unit=evidence.picks.unit,
    )


def _kind(finding: _Finding) -> VerdictKind:
    if score_of(finding.cv_high) >= THRESHOLD:
        return VerdictKind.EVEN
    return VerdictKind.UNEVEN if score_of(finding.cv_low) < THRESHOLD else VerdictKind.UNDECIDED


def _more_picks(evidence: _Evidence, finding: _Finding) -> int | None:
    n, pods = evidence.picks.effective, evidence.fair.size
    if finding.regular:
        # The gap between pods stays the same number of picks while the picks grow.
        needed: float | None = n * finding.cv_high / CV_THRESHOLD
    else:
        # What chance explains is no unevenness to count on: an estimate from it would jump from second to second.
        cv = evidence.long_run_cv if finding.beyond_chance else 0.0
        needed = chance.deciding_picks(cv, CV_THRESHOLD, evidence.df, max(n, PICKS_PER_POD * pods))
        needed = needed and needed * _widening(evidence, CV_THRESHOLD) ** 2
    if needed is None:
        return None
    return max(1, math.ceil((needed - n) * evidence.picks.total / n - 1e-6))


def _sentence(kind: VerdictKind, evidence: _Evidence, finding: _Finding, noise_cv: float, more: int | None) -> str:
    if kind is VerdictKind.EVEN:
        lowest = score_of(finding.cv_high)
        return verdict_sentence.even(evidence.fair.size, lowest, finding.beyond_chance, finding.regular)
    if kind is VerdictKind.UNEVEN:
        # z of every pod up to a common factor: who is furthest from the fair share.
        gap = (evidence.parts - evidence.fair) / np.sqrt(evidence.fair * (1 - evidence.fair))
        worst = int(gap.argmax() if gap.max() >= -gap.min() * (1 - 1e-9) else gap.argmin())
        return verdict_sentence.uneven(float(evidence.parts[worst]), float(evidence.fair[worst]), finding.p_uneven)
    unit = evidence.picks.unit
    if finding.regular:
        return verdict_sentence.undecided_regular(evidence.picks.total, unit, more)
    return verdict_sentence.undecided(evidence.picks.total, unit, score_of(noise_cv), more, not finding.beyond_chance)
