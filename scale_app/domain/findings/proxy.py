"""Causes in a balancer that picks a pod for each request: weights, pods that are left out, other preferences.

None speaks where a setting of the Service, a place or the pods themselves explain the shares.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import reduce

from scale_app.domain.findings.facts import Facts, Found, cause, change, percent, pods
from scale_app.domain.findings.places import DUE_ALIKE, explains, stays, uneven_places, weighted_zones
from scale_app.domain.snapshot import PodShare
from scale_app.domain.verdict import VerdictKind

EARLIER_FROM = 0.25
SMALLEST_MOST, LARGEST_MOST = 4, 20
FITS_WITHIN = 2.5
TOLD_APART = 0.2
"""The most that chance may move a weight of 1, so that the counts tell whole numbers from what lies between them."""
SHOWN_MOST = 8
LATENCY_LEFT = 0.5
"""The most that is left of the distance from equal shares, where latencies explain it."""


def _preferred(facts: Facts) -> list[PodShare]:
    """The pods that stand out though they work like the others, by requests that are picks of their own; sorted."""
    if facts.figures.verdict.kind is not VerdictKind.UNEVEN or not facts.by_request or facts.settled:
        return []
    rows = [row for row in facts.rows if row.outlier]
    if any(row.slow or row.failing or row.name in facts.explained for row in rows):
        return []
    if uneven_places.look(facts) or weighted_zones.look(facts):
        return []
    return rows


@cause(
    code="layer7_ejected",
    title="The balancer leaves out a pod that failed",
    cause="A proxy that watches answers (outlier detection) ejects a pod that fails: for a time, which grows with each "
    "ejection, the others get its share. The pod's failures are the cause; that it gets nothing follows from them.",
    shown_by="failures among the pod's last answers, and that it got nothing after them while others did",
    remedy="Look for the pod's own failures first: its log, its node. Let its readiness probe detect them. If they are "
    "no fault of the pod, let the proxy eject later: Envoy outlier_detection, Istio outlierDetection.",
)
def layer7_ejected(facts: Facts) -> Found | None:
    """Silent for pods that never failed, or did not lately, before they were left out."""
    if not (ejected := facts.ejected):
        return None
    worst = max(ejected, key=lambda name: facts.figures.ejections[name].missed)
    last = facts.figures.ejections[worst]
    until = "since" if last.until_s is None else f"until {last.until_s:.0f} s"
    if last.named:
        of = f"{last.requests:,} requests in the last {last.seconds:.0f} s until {last.since_s:.0f} s"
        failed = f"{worst} failed {last.failed:,} of {of}, and got none {until}"
    else:
        lost = f"when {last.failed:,} requests got no answer from a pod"
        failed = f"{worst} answered until {last.since_s:.0f} s, {lost}, and got none {until}"
    often = f" ({last.times:,} such times so far)" if last.times > 1 else ""
    evidence = f"{failed}{often}; {last.missed:,.0f} were due to it and went to others."
    return Found("likely" if last.named else "possible", evidence, ejected)


@cause(
    code="layer7_left_out",
    title="The layer-7 balancer leaves pods out",
    cause="The proxy sends nothing to pods that are ready: it balances over a subset, gives them a weight of 0, has "
    "not read the present list of pods, or ejected them for failures that nobody saw because it tried again.",
    shown_by="switches on kept connections, pods that got almost no requests while the others share them",
    remedy="Compare the proxy's own list of upstreams with the ready pods; check subsets, outlier detection, weights.",
)
def layer7_left_out(facts: Facts) -> Found | None:
    """Fires for pods without work in the last seconds, though the balancer could pick them for each request."""
    left_out = [name for name in facts.starved() if name not in facts.explained]
    serving = len(facts.figures.recent.expected) - len(left_out)
    if not left_out or serving < 2 or not facts.by_request or facts.settled:
        return None
    before = sum(facts.figures.whole.pods[name].requests for name in left_out)
    evidence = (
        f"In the last seconds {serving} of {serving + len(left_out)} pods shared all requests, each picked anew; "
        f"{pods(left_out)} got almost none, {before:,} since the start."
    )
    return Found("likely", evidence, left_out)


@cause(
    code="layer7_weights",
    title="The layer-7 balancer's weights look unequal",
    cause="A proxy that picks a pod for each request keeps to unequal shares, as unequal weights make them.",
    shown_by="switches on kept connections, shares that stay and are in proportion to small whole numbers",
    remedy="Check the weights of the proxy's upstreams: nginx weight=, Envoy load_balancing_weight, HTTPRoute weight. "
    "If they are intended, enter them as Expected weights (the plan's `weights`).",
)
def layer7_weights(facts: Facts) -> Found | None:
    """Fires for shares that stay, and stay at small whole numbers; silent as long as the counts cannot tell them, where
    pods are due unequal shares, and where their latencies explain theirs."""
    rows, window = _preferred(facts), facts.figures.whole
    if not rows or not _steady(facts) or _by_latency(facts):
        return None
    if max(window.expected.values()) > DUE_ALIKE * min(window.expected.values()):
        return None
    requests = {name: window.pods[name].requests for name in window.eligible}
    weights = whole_weights(requests, window.attributed)
    if not weights:
        return None
    heaviest = max(weights, key=lambda name: weights[name])
    share = window.pods[heaviest].requests / window.attributed
    evidence = (
        f"The pods' shares stay at {_ratio(weights)}, as with such weights: {heaviest} got {percent(share)} of "
        f"{window.attributed:,} requests, each picked anew, and the same part in the last seconds."
    )
    return Found("likely", evidence, [row.name for row in rows])


def _by_latency(facts: Facts) -> bool:
    """True when the pods' mean latencies explain their shares: equal numbers in flight, as least connections keeps
    them, make a pod's rate the inverse of its latency (Little's law)."""
    got = {row.name: row.share for row in facts.rows if row.share}
    rates = {row.name: 1 / row.mean_ms for row in facts.rows if row.share and row.mean_ms}
    total = sum(rates.values())
    fitted = {name: rate / total for name, rate in rates.items()}
    return bool(got) and fitted.keys() == got.keys() and explains(got, fitted, LATENCY_LEFT)


def whole_weights(rates: Mapping[str, float], requests: int) -> dict[str, int]:
    """Small whole numbers, not all alike, that the rates are in proportion to as far as chance allows; {} for none.

    rates: of each pod. requests: of all pods together, as which they were counted.
    """
    least, total = min(rates.values(), default=0.0), sum(rates.values())
    for smallest in range(1, SMALLEST_MOST + 1) if least > 0 else ():
        weights = {name: round(smallest * rate / least) for name, rate in rates.items()}
        of_all = sum(weights.values())
        parts = [(rates[name] / total, weights[name] / of_all) for name in rates]
        off = [FITS_WITHIN * math.sqrt(fitted * (1 - fitted) / requests) for _, fitted in parts]
        fits = all(abs(share - fitted) <= most for (share, fitted), most in zip(parts, off, strict=True))
        alone = reduce(math.gcd, weights.values()) == 1 and len(set(weights.values())) > 1
        if fits and alone and max(weights.values()) <= LARGEST_MOST and max(off) * of_all <= TOLD_APART:
            return weights
    return {}


def _steady(facts: Facts) -> bool:
    """True when the shares of the last seconds are those before, and there was a before."""
    recent, whole = facts.figures.recent, facts.figures.whole
    earlier = whole.attributed - recent.attributed >= EARLIER_FROM * recent.attributed > 0
    return earlier and stays(recent, whole)


def _ratio(weights: Mapping[str, int]) -> str:
    """As 4:3:3:3:3, the heaviest first; of many pods, how many have which."""
    ordered: Sequence[int] = sorted(weights.values(), reverse=True)
    if len(ordered) <= SHOWN_MOST:
        return ":".join(map(str, ordered))
    return " and ".join(f"{weight} for {n} pods" for weight, n in Counter(ordered).items())


@cause(
    code="layer7_policy",
    title="The layer-7 balancer prefers some pods",
    cause="A proxy picks a pod for each request, but not evenly, though the pods perform alike.",
    shown_by="switches on kept connections; pods that stand out but are not slow, failing, new or left out",
    remedy="Check the proxy's policy: weights, zones with weights, a hash ring with few points, or a ring "
    "whose key the requests lack, so that the points alone decide.",
)
def layer7_policy(facts: Facts) -> Found | None:
    """What is left where neither weights nor a subset fit."""
    rows = _preferred(facts)
    if not rows or layer7_left_out.look(facts) or layer7_weights.look(facts):
        return None
    hottest = max(rows, key=lambda row: abs(row.against_fair))
    stay = "; the last seconds are like those before" if _steady(facts) else ""
    slower = "; slower pods get less, as with least connections" if _by_latency(facts) else ""
    evidence = (
        f"{hottest.name} got {percent(hottest.share)} of the requests, {change(hottest.against_fair)} compared with "
        f"its fair share, though a pod is picked for each request{stay}{slower}."
    )
    return Found("possible", evidence, [row.name for row in rows])
