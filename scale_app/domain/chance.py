"""What chance alone does to a fair balancer: the distributions behind the verdict, fast and safe for any size.

T, Pearson's chi-square in units of effective picks, follows a noncentral chi-square whose noncentrality is
n_eff * CV^2. For few picks, where that is wrong, the recorded connections are drawn anew for the pods at random.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from scale_app.domain.balance import counted, shares
from scale_app.domain.numerics import Array, crossing, np, special
from scale_app.domain.picks import Picks

NAMED_FROM = 3.0
FAMILY_ALPHA = math.erfc(NAMED_FROM / math.sqrt(2))
"""P(|Z| > NAMED_FROM) of a standard normal Z."""


def residuals(
    requests: Sequence[int], expected: Sequence[float] | None = None, n_eff: float | None = None
) -> tuple[Array, Array]:
    """Standardised residuals and which pods are outliers, both shape (k,).

    n_eff: effective picks (Verdict.effective_picks), at most one a request; None counts every request as a pick.
    An outlier has |z| > 3 and stays as improbable when all pods are asked at once (Holm's correction).
    One pod, no request or no pick: all 0 and no outlier. Raises nothing.
    """
    counts = counted(requests)
    pods, total = counts.size, float(counts.sum())
    picks = total if n_eff is None else min(n_eff, total)
    if pods < 2 or not picks >= 1:
        return np.zeros(pods), np.zeros(pods, dtype=bool)
    fair = shares(pods, expected)
    z = (counts / total - fair) * np.sqrt(picks / (fair * (1 - fair)))
    far = np.abs(z) > NAMED_FROM
    # Only those far out can be named, so only they pay for a tail; the others stand in the family with p = 1.
    p = np.ones(pods)
    p[far] = _two_sided_p(counts[far] / total * picks, picks, fair[far])
    return z, far & _holm(p, FAMILY_ALPHA)


def _two_sided_p(got: Array, picks: float, fair: Array) -> Array:
    # Binomial tails, not the normal's: with five picks a pod the normal calls too many pods outliers.
    at_least = np.where(got > 0, special.betainc(np.maximum(got, 1e-300), picks - got + 1, fair), 1.0)
    at_most = np.where(got < picks, special.betaincc(got + 1, np.maximum(picks - got, 1e-300), fair), 1.0)
    return np.asarray(np.minimum(1.0, 2 * np.minimum(at_least, at_most)))


def _holm(p: Array, alpha: float) -> Array:
    order = np.argsort(p, kind="stable")
    passes = p[order] * np.arange(p.size, 0, -1) <= alpha
    named = np.zeros(p.size, dtype=bool)
    named[order] = np.logical_and.accumulate(passes)
    return named


TAIL = 0.025
SERIES_UP_TO = 1e4  # scipy sums a series whose length grows with the noncentrality; beyond, Sankaran's error < 1e-5
DRAWS = 1_199
FIRST_DRAWS = 99
CELLS_AT_ONCE = 50_000
# Measured on one slow core; they only decide which way of drawing is cheaper and whether either is affordable.
NS_PER_PICK, NS_PER_SEARCHED_PICK, NS_PER_POD, NS_PER_BINOMIAL = 15.0, 75.0, 10.0, 120.0
BUDGET_NS = 20e6
MOST_PICKS = 1e8
SEED = 20_220_811


def noncentral_cdf(t: float, df: int, noncentrality: float) -> float:
    """P(chi2'_df(noncentrality) <= t); exact for small figures, Sankaran's approximation for large ones."""
    if t <= 0:
        return 0.0
    if max(t, noncentrality + df) <= SERIES_UP_TO:
        return float(special.chndtr(t, df, noncentrality))
    mean, spread = df + noncentrality, df + 2 * noncentrality
    h = 1 - 2 / 3 * mean * (df + 3 * noncentrality) / spread**2
    p = spread / mean**2
    m = (h - 1) * (1 - 3 * h)
    centre = 1 + h * p * (h - 1 - 0.5 * (2 - h) * m * p)
    return float(special.ndtr(((t / mean) ** h - centre) / (h * math.sqrt(2 * p) * (1 + 0.5 * m * p))))


def noncentrality_bound(t: float, df: int, probability: float) -> float:
    """The noncentrality for which P(chi2' <= t) = probability; 0 when even none makes it so small."""
    if noncentral_cdf(t, df, 0.0) <= probability:
        return 0.0
    high = max(t, 1.0)
    while noncentral_cdf(t, df, high) > probability:
        high *= 2
    return crossing(lambda x: noncentral_cdf(t, df, x) - probability, 0.0, high, xtol=1e-9)


def chance_above(t: float, df: int) -> float:
    """P(chi2_df >= t)."""
    return float(special.chdtrc(df, max(t, 0.0)))


def chance_at_most(t: float, df: int) -> float:
    """P(chi2_df <= t)."""
    return float(special.chdtr(df, max(t, 0.0)))


def chance_below(t: float, shares: Array, effective: float) -> float:
    """P(chi2 <= t) with room for whole numbers: shares of so few picks can meet the fair ones exactly."""
    room = half_a_pick_cv(shares, effective) * math.sqrt(effective)
    return float(special.chdtr(shares.size - 1, (math.sqrt(max(t, 0.0)) + room) ** 2))


def half_a_pick_cv(shares: Array, effective: float) -> float:
    """The CV when each pod's count is off by half a pick: what whole numbers can hide. k / (2 n) for equal shares."""
    return 0.5 * math.sqrt(float((1 / shares).sum())) / effective


def deciding_picks(long_run_cv: float, threshold_cv: float, df: int, least: float) -> float | None:
    """Effective picks, at least `least`, from which the interval around long_run_cv excludes threshold_cv; None as in
    `enough_picks`."""
    beyond = 1 - TAIL if long_run_cv > threshold_cv else TAIL

    def missing(n: float) -> float:
        gap = noncentral_cdf(df + n * long_run_cv**2, df, n * threshold_cv**2) - beyond
        return gap if long_run_cv < threshold_cv else -gap

    return None if long_run_cv == threshold_cv else enough_picks(missing, least)


def enough_picks(missing: Callable[[float], float], least: float) -> float | None:
    """Picks, at least `least`, from which nothing is missing: missing(picks) falls, and is 0 there.

    None when more than MOST_PICKS would be needed: nobody waits for them.
    """

    def missing_at(log_n: float) -> float:
        return missing(math.exp(log_n))

    first, last = math.log(least), math.log(MOST_PICKS)
    if first >= last or missing_at(last) > 0:
        return None
    return least if missing_at(first) <= 0 else math.exp(crossing(missing_at, first, last, rtol=1e-6))


def exact_p(t: float, shares: Array, picks: Picks, upper: bool, alpha: float) -> float | None:
    """Share of random draws of the recorded picks that are at least (upper) or at most as uneven as t.

    Seeded, so equal windows get equal answers. Ends early once the p-value cannot get below alpha.
    None when it would cost more than its budget of about 20 ms.
    """
    if min(_costs_ns(shares, picks)) * DRAWS > BUDGET_NS:
        return None
    rng, observed = np.random.default_rng(SEED), t / picks.effective
    at_once = max(1, CELLS_AT_ONCE // (shares.size + min(picks.drawn, 1_000)))
    extreme = done = 0
    while done < DRAWS:
        draws = min(at_once, DRAWS - done) if done else FIRST_DRAWS
        squares = _cv_squared(_draw(rng, draws, shares, picks), shares)
        # Ties count as extreme; the room is for rounding in sums that differ in order only.
        hits = squares >= observed * (1 - 1e-9) - 1e-15 if upper else squares <= observed * (1 + 1e-9) + 1e-15
        extreme, done = extreme + int(hits.sum()), done + draws
        if (extreme + 1) / (DRAWS + 1) >= alpha:
            break
    return (extreme + 1) / (done + 1)


def bound_above(t: float, shares: Array, effective: float) -> float:
    """Cantelli's upper bound of P(T >= t) from the exact mean and variance: safe where no test is affordable."""
    k = shares.size
    uneven_shares = max(0.0, float((1 / shares).sum()) - k * k) / effective
    variance, excess = 2 * (k - 1) + uneven_shares, t - (k - 1)
    return variance / (variance + excess * excess) if excess > 0 else 1.0


def _costs_ns(shares: Array, picks: Picks) -> tuple[float, float]:
    """Of one draw: each pick by itself, and each group of equal picks at once."""
    per_pick = NS_PER_PICK if _equal(shares) else NS_PER_SEARCHED_PICK
    per_draw = NS_PER_POD * shares.size
    return per_draw + per_pick * picks.drawn, per_draw + NS_PER_BINOMIAL * shares.size * picks.counts.size


def _equal(shares: Array) -> bool:
    return bool(shares.max() <= shares.min() * (1 + 1e-9))


def _draw(rng: np.random.Generator, draws: int, shares: Array, picks: Picks) -> Array:
    """Requests per pod when each pick goes to a pod at random by its share; shape (draws, pods)."""
    each_ns, by_group_ns = _costs_ns(shares, picks)
    if each_ns <= by_group_ns:
        return _draw_each(rng, draws, shares, picks)
    drawn = np.zeros((draws, shares.size))
    for carried, count in zip(picks.carried, picks.counts, strict=True):
        drawn += carried * rng.multinomial(count, shares, size=draws)
    return drawn


def _draw_each(rng: np.random.Generator, draws: int, shares: Array, picks: Picks) -> Array:
    shape, pods = (draws, picks.drawn), shares.size
    if _equal(shares):
        where = rng.integers(pods, size=shape, dtype=np.uint16 if pods < 2**16 else np.uint64).astype(np.int64)
    else:
        where = np.searchsorted(np.cumsum(shares)[:-1], rng.random(shape), side="right")
    where += np.arange(draws)[:, None] * pods
    weights = np.broadcast_to(np.repeat(picks.carried, picks.counts), shape)
    return np.bincount(where.ravel(), weights.ravel(), minlength=draws * pods).reshape(draws, pods)


def _cv_squared(drawn: Array, shares: Array) -> Array:
    """Pearson's chi-square per pick of each row: sum of (share - expected)^2 / expected."""
    gap = drawn / drawn.sum(axis=1, keepdims=True) - shares
    return np.asarray((gap * gap) @ (1 / shares))
