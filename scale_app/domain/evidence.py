"""Evidence that may be looked at any time: e-processes for "even" and for "uneven", as natural logarithms.

An e-process begins at 1, and while its hypothesis is true it reaches 1/alpha with a probability of at most alpha, at
whatever moment it is looked at (Ville 1939). Both compare how likely the counts are under two long-run CVs:

    even      CV 0, or one within the threshold, against the CV of the threshold, which a balancer there hardly shows
    uneven    a mixture of alternatives beyond the threshold against what a balancer within it may show

T, Pearson's chi-square in effective picks n, decides between CVs where picks are many: with 0F1 the confluent
hypergeometric limit function, d degrees of freedom, its density at CV c over that at CV 0 is

    exp(-n c^2 / 2) 0F1(; d/2; n c^2 T / 4)

(the likelihood ratio of the invariant statistic: Perez-Ortiz, Lardy, de Heide and Gruenwald, Annals of Statistics 52,
2024). The mixture has two halves. One: the work is spread unevenly by some CV of a grid; with few picks a pod, where T
is no chi-square, by Dirichlet shares of the same CV, whose ratio to the fair multinomial is exact (Lindon and Malek,
NeurIPS 2022). The other: one pod differs, an exact binomial ratio for each pod and each share of a grid, against the
share nearest to it that a balancer within the threshold may give one pod.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scale_app.domain.balance import CV_THRESHOLD, cv_squared
from scale_app.domain.chance import enough_picks
from scale_app.domain.numerics import Array, np, special
from scale_app.domain.picks import Loads, freshness_of
from scale_app.domain.samples import PodCount

STEPS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 24.0, 40.0)
"""CVs beyond a CV, as multiples of it."""
WITHIN, WEIGHTS_WITHIN = (0.0, 0.5, 0.75), (0.8, 0.1, 0.1)
"""CVs within the threshold, as parts of it, and their weights: a little unevenness is no reason never
to say EVEN, and costs those without any 7 % more picks."""
SHARES = (0.02, 0.25, 0.5, 1.5, 2.0, 3.0)
"""Shares of one pod that differs, as multiples of its fair one."""
MOST_SHARE = 0.98
EXACT_PICKS_PER_POD = 20
LEAST_CONCENTRATION = 0.5
SERIES_UP_TO = 30
NEGLIGIBLE = 1e-6
LARGE = 1e7
"""From here on a Bessel function is its first asymptotic term within 1e-5; scipy knows it up to about 1e9."""
LOG_HALF = math.log(0.5)
AHEAD = 0.42
"""Standard deviations of the chi-square by which luck hastens the median decision, when one looks again and again:
12,800, 19,200 and 31,600 picks until a fair balancer of 2, 5 and 20 pods is EVEN, by simulation."""


def log_0f1(df: int, x: Array) -> Array:
    """log 0F1(; df/2; x/4), elementwise; x at least 0. Within 1e-5."""
    order, z = df / 2 - 1, np.sqrt(np.maximum(x, 0.0))
    if df == 1:  # cosh
        return np.asarray(z + np.log1p(np.exp(-2 * z)) - math.log(2))
    if order > SERIES_UP_TO:
        return _log_0f1_of_many(order, z)
    small = z * z < NEGLIGIBLE * df
    safe = np.where(small, 1.0, z)
    far = -0.5 * np.log(2 * math.pi * safe) - (4 * order**2 - 1) / (8 * safe)
    scaled = np.where(safe > LARGE, far, np.log(special.ive(order, np.minimum(safe, LARGE))))
    bessel = special.gammaln(df / 2) - order * np.log(safe / 2) + scaled + safe
    return np.asarray(np.where(small, z * z / (2 * df), bessel))


def _log_0f1_of_many(order: float, z: Array) -> Array:
    """Debye's expansion of the Bessel function for a large order (Digital Library of Mathematical Functions, 10.41)."""
    root = np.sqrt(1 + (z / order) ** 2)
    p = 1 / root
    first = (3 * p - 5 * p**3) / 24
    second = (81 * p**2 - 462 * p**4 + 385 * p**6) / 1152
    exponent = order * (root - math.log(order) - np.log1p(root) + math.log(2))
    scale = special.gammaln(order + 1) - 0.5 * math.log(2 * math.pi * order)
    return np.asarray(exponent + scale - 0.5 * np.log(root) + np.log1p(first / order + second / order**2))


def log_ratio(n: float, t: float, df: int, cvs: Array) -> Array:
    """How likely t is at each long-run CV, over how likely at CV 0; shape of cvs."""
    noncentrality = n * np.asarray(cvs, dtype=float) ** 2
    return np.asarray(log_0f1(df, noncentrality * t) - noncentrality / 2)


def log_even(n: float, t: float, df: int) -> float:
    """Evidence that the long-run CV is within the threshold. n: effective picks. t: Pearson's chi-square in them, df
    degrees."""
    within = np.logaddexp.reduce(log_ratio(n, t, df, CV_THRESHOLD * np.array(WITHIN)) + np.log(WEIGHTS_WITHIN))
    return float(within - log_ratio(n, t, df, np.array(CV_THRESHOLD)))


def log_uneven(parts: Array, fair: Array, n: float) -> float:
    """Evidence that the long-run CV is above the threshold. parts, fair: observed and fair shares, shape (k > 1,)."""
    spread = log_dirichlet(parts, fair, n) if n <= EXACT_PICKS_PER_POD * fair.size else log_spread(parts, fair, n)
    return float(np.logaddexp(spread, log_one_pod(parts, fair, n))) + LOG_HALF


def log_spread(parts: Array, fair: Array, n: float) -> float:
    """Many pods differ, by their chi-square: the mean over a grid of CVs beyond the threshold."""
    return log_spread_of(n, n * cv_squared(parts, fair), fair.size - 1)


def log_spread_of(n: float, t: float, df: int) -> float:
    """The same, of the chi-square itself."""
    cvs = CV_THRESHOLD * np.array(STEPS)
    beyond = log_ratio(n, t, df, cvs[cvs**2 <= df])
    return _log_mean(beyond) - float(log_ratio(n, t, df, np.array(CV_THRESHOLD)))


def log_dirichlet(parts: Array, fair: Array, n: float) -> float:
    """The same with exact multinomials, whose shares are spread around the fair ones with each of the grid's CVs."""
    cvs = CV_THRESHOLD * np.array(STEPS)
    concentrations = np.maximum((fair.size - 1) / cvs**2 - 1, LEAST_CONCENTRATION)
    # Pods with equal counts and shares are counted once: of thousands there are few different ones.
    pairs, times = np.unique(np.stack([parts * n, fair]), axis=1, return_counts=True)
    counts, shares = pairs
    prior = concentrations[:, None] * shares
    gain = special.gammaln(prior + counts) - special.gammaln(prior) - counts * np.log(shares)
    whole = special.gammaln(concentrations) - special.gammaln(concentrations + n)
    return _log_mean(whole + gain @ times)


def log_one_pod(parts: Array, fair: Array, n: float) -> float:
    """One pod differs: the mean over all pods and a grid of shares."""
    return _log_mean(log_of_pods(parts, fair, n).ravel())


def log_of_pods(parts: Array, fair: Array, n: float) -> Array:
    """Evidence that this pod has this share, for each pod and each of SHARES; shape (k, 6).

    Against the nearest share that a balancer within the threshold may give one pod: fair -+ CV sqrt(fair (1 - fair)).
    1 (log 0) where the share itself is within it.
    """
    multiples = np.array(SHARES)
    share = np.minimum(multiples * fair[:, None], MOST_SHARE)
    room = CV_THRESHOLD * np.sqrt(fair * (1 - fair))[:, None]
    nearest = fair[:, None] + np.where(multiples > 1, room, -room)
    beyond = np.where(multiples > 1, share > nearest, share < nearest) & (nearest > 0)
    safe = np.where(beyond, nearest, share)
    part = parts[:, None]
    ratio = n * (part * np.log(share / safe) + (1 - part) * np.log((1 - share) / (1 - safe)))
    return np.asarray(np.where(beyond, ratio, 0.0))


def lowest_cv(n: float, t: float, df: int, log_from: float) -> float:
    """The largest long-run CV that is refuted: there is so much evidence for CVs beyond it. 0 without one."""
    cvs = _tried(n, t)
    beyond = np.stack([log_ratio(n, t, df, cvs * step) for step in STEPS])
    gained = np.logaddexp.reduce(beyond, axis=0) - math.log(len(STEPS)) - log_ratio(n, t, df, cvs)
    refuted = np.flatnonzero(gained >= log_from)
    return float(cvs[refuted[-1]]) if refuted.size else 0.0


def highest_cv(n: float, t: float, df: int, log_from: float) -> float:
    """The smallest long-run CV that is refuted, by CV 0 and by CVs between; the largest tried without one."""
    cvs = _tried(n, t)
    within = np.stack([log_ratio(n, t, df, cvs / step) for step in STEPS])
    between = np.logaddexp.reduce(within, axis=0) - math.log(len(STEPS))
    gained = np.logaddexp(between, 0.0) + LOG_HALF - log_ratio(n, t, df, cvs)
    refuted = np.flatnonzero((gained >= log_from) & (cvs > math.sqrt(t / n)))
    return float(cvs[refuted[0]]) if refuted.size else float(cvs[-1])


def deciding_picks(cv: float, df: int, least: float, log_even_from: float, log_uneven_from: float) -> float | None:
    """Effective picks, at least `least`, after which half of the balancers with a long-run CV of cv are decided.

    None as in `chance.enough_picks`.
    """

    def missing(n: float) -> float:
        mean, ahead = df + n * cv**2, AHEAD * math.sqrt(2 * df + 4 * n * cv**2)
        if cv < CV_THRESHOLD:
            return log_even_from - log_even(n, max(0.0, mean - ahead), df)
        return log_uneven_from - log_spread_of(n, mean + ahead, df) - LOG_HALF

    return None if cv == CV_THRESHOLD else enough_picks(missing, least)


def _tried(n: float, t: float) -> Array:
    """CVs from far below to far above what is seen, 5 % apart."""
    return np.asarray(math.sqrt(max(t, 1.0) / n) * np.exp(np.arange(-4.0, 1.5, 0.05)))


def _log_mean(logs: Array) -> float:
    return float(np.logaddexp.reduce(logs)) - math.log(max(1, logs.size))


BY_REQUEST_FROM = 0.8
LEAST_DUE = 5.0
ALIKE = 1e-9


def log_regular(gained: Mapping[str, PodCount], expected: Mapping[str, float], loads: Loads | None) -> float:
    """The evidence of one second that picks are spread more evenly than chance, as by round robin; 0 for none.

    In each second the new picks scatter around the pods' shares; their chi-square T has d degrees of freedom when they
    are independent. The likelihood of half the variance over that of the variance is 2^(d/2) exp(-T/2). With whole
    numbers its mean is at most 1 for a fair balancer, whatever the number of picks where shares are equal, and with
    five picks for the smallest share where they are not. So the product over the seconds is an e-process.

    gained: what each pod answered in this second, and its new connections. expected: requests due to each eligible pod.
    loads: what each connection did, None when unknown.
    """
    names = [name for name, due in expected.items() if due > 0]
    if len(names) < 2:
        return 0.0
    counts = [gained.get(name, PodCount()) for name in names]
    requests = np.array([count.requests for count in counts], dtype=float)
    picks = _new_picks(requests, np.array([count.connections for count in counts], dtype=float), loads)
    shares = np.array([expected[name] for name in names])
    return _log_half_variance(picks, shares / shares.sum())


def _new_picks(requests: Array, connections: Array, loads: Loads | None) -> Array:
    """Independent decisions that were made in this second, by pod; none where they cannot be told from older ones."""
    total = float(requests.sum())
    if loads is None or total <= 0:
        return requests
    fresh = freshness_of(loads, requests / total)
    if fresh >= BY_REQUEST_FROM:
        return requests
    return connections if fresh == 0 else np.zeros_like(connections)


def _log_half_variance(picks: Array, shares: Array) -> float:
    due = float(picks.sum()) * shares
    least = float(due.min())
    if least <= 0 or (least < LEAST_DUE and float(shares.max()) > float(shares.min()) * (1 + ALIKE)):
        return 0.0
    t = float(((picks - due) ** 2 / due).sum())
    return (shares.size - 1) / 2 * math.log(2) - t / 2
