"""Which pod: how far each is from its expected share, in standard deviations of chance, and which stand out."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scale_app.domain.arrays import Array, np
from scale_app.domain.balance import counted, shares
from scale_app.domain.probability import special

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
