"""Are picks spread more evenly than chance, as by round robin or least connections? Evidence, second by second.

In each second the new picks scatter around the pods' shares; their chi-square T has d degrees of freedom when they are
independent. The likelihood of half the variance over that of the variance is 2^(d/2) exp(-T/2). With whole numbers its
mean is at most 1 for a fair balancer, whatever the number of picks where shares are equal, and with five picks for the
smallest share where they are not. So the product over the seconds is an e-process: it may be looked at any time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from scale_app.domain.arrays import Array, np
from scale_app.domain.connections import Loads
from scale_app.domain.picks import freshness_of
from scale_app.domain.samples import PodCount

BY_REQUEST_FROM = 0.8
LEAST_DUE = 5.0
ALIKE = 1e-9


def log_regular(gained: Mapping[str, PodCount], expected: Mapping[str, float], loads: Loads | None) -> float:
    """The evidence of one second; 0 for none. gained: what each pod answered in it, and its new connections.

    expected: requests due to each eligible pod. loads: what each connection did, None when unknown.
    """
    names = [name for name, due in expected.items() if due > 0]
    if len(names) < 2:
        return 0.0
    counts = [gained.get(name, PodCount()) for name in names]
    requests = np.array([count.requests for count in counts], dtype=float)
    picks = _new_picks(requests, np.array([count.connections for count in counts], dtype=float), loads)
    shares = np.array([expected[name] for name in names])
    return _log_ratio(picks, shares / shares.sum())


def _new_picks(requests: Array, connections: Array, loads: Loads | None) -> Array:
    """Independent decisions that were made in this second, by pod; none where they cannot be told from older ones."""
    total = float(requests.sum())
    if loads is None or total <= 0:
        return requests
    fresh = freshness_of(loads, requests / total)
    if fresh >= BY_REQUEST_FROM:
        return requests
    return connections if fresh == 0 else np.zeros_like(connections)


def _log_ratio(picks: Array, shares: Array) -> float:
    due = float(picks.sum()) * shares
    least = float(due.min())
    if least <= 0 or (least < LEAST_DUE and float(shares.max()) > float(shares.min()) * (1 + ALIKE)):
        return 0.0
    t = float(((picks - due) ** 2 / due).sum())
    return (shares.size - 1) / 2 * math.log(2) - t / 2
