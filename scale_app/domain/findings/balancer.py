"""Causes in the balancer: an affinity, a hash, weights, or a preference without a visible reason."""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.balance import counted, shares
from scale_app.domain.by_weight import unequal
from scale_app.domain.findings.facts import PINNED_BELOW, Facts, Found, cause, change, percent
from scale_app.domain.findings.places import uneven_places, weighted_zones
from scale_app.domain.numerics import np
from scale_app.domain.verdict import VerdictKind
from scale_app.domain.verdict_sentence import count

NEARLY_ALL = 0.9


@cause(
    code="session_affinity",
    title="The Service ties each client address to one pod",
    cause="sessionAffinity: ClientIP sends every connection of one address to the same pod, new connections too.",
    shown_by="the Service's sessionAffinity and the busiest pod's share",
    remedy="Remove it if no pod keeps state for its clients. Otherwise test from as many addresses as clients have.",
    patch="spec:\n  sessionAffinity: None\n",
)
def session_affinity(facts: Facts) -> Found | None:
    """Silent where affinity does no harm, as with many client addresses."""
    pods = len(facts.figures.recent.expected)
    if facts.service is None or facts.service.session_affinity != "ClientIP" or pods < 2:
        return None
    name, share = facts.top()
    if share < NEARLY_ALL and facts.figures.recent.verdict.kind is not VerdictKind.UNEVEN:
        return None
    evidence = (
        f"The Service has sessionAffinity: ClientIP, and {name} got {percent(share)} of the last requests "
        f"where the fair share is {percent(1 / pods)}."
    )
    return Found("certain", evidence, [name])


DNS_WORDS = {"connection": "for each connection", "second": "at most once a second", "once": "once for the whole run"}


@cause(
    code="headless",
    title="The Service is headless: its clients choose a pod",
    cause="The name of a Service with clusterIP: None leads to the addresses of its pods, and each client takes one of "
    "them. Nothing balances: the run shows how Scale chose, not how other clients do.",
    shown_by="the Service's clusterIP, how the plan resolves names",
    remedy="To judge a balancer, load a Service with a cluster IP. To choose as clients of DNS do, set dns to "
    "connection and few requests per connection in the plan.",
)
def headless(facts: Facts) -> Found | None:
    """Whatever the shares are, since they say nothing of a balancer."""
    if facts.service is None or not facts.service.headless:
        return None
    evidence = (
        f"The Service has clusterIP: None and {count(len(facts.listed), 'listed pod')}; Scale resolves its name "
        f"{DNS_WORDS[facts.plan.dns]} and takes a random one of its addresses."
    )
    return Found("certain", evidence)


IMPROBABLE = 0.001
ALL = 0.999
HEADERS_NAMED = 3
HASHED = "upstream-hash-by: "


@cause(
    code="single_source",
    title="All connections of this run reach the same pod",
    cause="A balancer hashes what all requests of this run have in common: the client's address, or a header, cookie "
    "or URL that is the same in each.",
    shown_by="connections in use, the one pod that got them all, what the plan sends with each request, what an "
    "Ingress says that it hashes",
    remedy="Send from several addresses, and vary what is hashed, as real clients do (a locustfile can for each user); "
    "or let the balancer hash a finer key, or none.",
)
def single_source(facts: Facts) -> Found | None:
    """Silent where the Service's own settings say it, and with too few connections to tell or one pod that could have
    got them: those that do not answer, or came when connections were open already, could not."""
    window, (name, share) = facts.figures.recent, facts.top()
    if (facts.service and facts.service.narrows) or share < ALL or facts.by_request:
        return None
    pods, connections = len(window.expected.keys() - facts.explained), sum((window.loads or {}).values())
    # The first connection may go anywhere; each further one meets the same pod with chance 1/pods.
    if pods < 2 or pods ** (1 - connections) > IMPROBABLE:
        return None
    evidence = (
        f"In the last seconds {name}, one of {pods} pods, answered on all {count(connections, 'connection')} and got "
        f"{percent(share)} of the requests. All came from one address to one URL{_headers_of(facts.plan.headers)}."
    )
    hashes = [line for line in (facts.service.leading if facts.service else ()) if HASHED in line]
    return Found("certain" if hashes else "likely", " ".join((evidence, *(f"{line}." for line in hashes))), [name])


def _headers_of(headers: Mapping[str, str]) -> str:
    return f" with the same {' and '.join(list(headers)[:HEADERS_NAMED])}" if headers else ""


EXPLAINED = 0.5


@cause(
    code="unequal_weights",
    title="The balancer's weights are unequal",
    cause="The balancer gives pods different weights, and the requests follow them.",
    shown_by="the balancer's weights against the pods' shares",
    remedy=(
        "Make the weights equal. If they are intended, enter them as Expected weights (the plan's `weights`), so that "
        "the run expects them."
    ),
)
def unequal_weights(facts: Facts) -> Found | None:
    """Fires when the weights, as they were at each time, explain at least half of the distance between the counts and
    the fair shares."""
    window = facts.figures.recent
    if window.verdict.kind is not VerdictKind.UNEVEN or not window.by_weight or not unequal(window.weights):
        return None
    names = list(window.expected)
    got = counted([window.pods[name].requests for name in names])
    got, due = got / got.sum(), shares(len(names), list(window.expected.values()))
    by_weight = shares(len(names), [window.by_weight.get(name, 0.0) for name in names])
    if np.abs(got - by_weight).sum() > EXPLAINED * np.abs(got - due).sum():
        return None
    heaviest = int((by_weight - due).argmax())
    evidence = (
        f"By the balancer's weights {percent(float(by_weight[heaviest]))} of the last requests were due to "
        f"{names[heaviest]}, where its fair share is {percent(float(due[heaviest]))}; it got "
        f"{percent(float(got[heaviest]))}."
    )
    return Found("certain", evidence, [names[heaviest]])


AGREE_WITHIN = 0.25
NONE_BELOW = 0.01
TOLD_FROM = 0.5
"""The least part of the connections of which the pod is known."""


@cause(
    code="uneven_connections",
    title="The balancer itself prefers some pods",
    cause="Work is shared unevenly although the pods perform alike, as with weights or a coarse hash at a proxy.",
    shown_by="requests and connections of pods that stand out but are not slow, failing or late",
    remedy="Check the ingress, mesh or cloud balancer in front of the Service for weights, subsets or a hash policy.",
)
def uneven_connections(facts: Facts) -> Found | None:
    """Fires when pods stand out that work like the others, answer, and were there in time; at layer 4 alone.

    That they do is evidence by itself: of twenty pods one that gets nothing hardly shows in the chi-square of all.
    Where connections decide, those that stand out by requests have to do so by connections as well.
    """
    verdict, opened = facts.figures.verdict, facts.connections
    if uneven_places.look(facts) or weighted_zones.look(facts) or single_source.look(facts):
        return None
    if verdict.kind is not VerdictKind.UNEVEN or not opened or facts.settled or facts.by_request:
        return None
    standing_out = [row for row in facts.rows if row.outlier]
    if not standing_out or any(row.slow or row.failing or row.name in facts.explained for row in standing_out):
        return None
    if facts.elapsed_s <= facts.plan.timeout_s + 1 and any(not row.requests for row in standing_out):
        return None  # requests to it may wait for an answer in vain
    # Connections that were open before the warm-up ended are no pod's in this window.
    told = sum(row.connections for row in facts.rows)
    pinned = facts.figures.whole.freshness < PINNED_BELOW and told >= TOLD_FROM * opened
    if pinned and not all(_agrees(row.connections / told, row.share) for row in standing_out):
        return None
    hottest = max(standing_out, key=lambda row: abs(row.against_fair))
    of_connections = "" if not pinned else f"{percent(hottest.connections / told)} of {count(told, 'connection')} and "
    evidence = (
        f"{hottest.name} got {of_connections}{percent(hottest.share)} of the requests, "
        f"{change(hottest.against_fair)} compared with its fair share."
    )
    return Found("possible", evidence, [row.name for row in standing_out])


def _agrees(of_connections: float, of_requests: float) -> bool:
    return abs(of_connections - of_requests) <= max(AGREE_WITHIN * of_requests, NONE_BELOW)
