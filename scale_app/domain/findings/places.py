"""Causes in places: traffic stays near its client, by the Service's settings or the counts by node."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from scale_app.domain.findings.facts import DUE_TO_JUDGE, STARVED_BELOW, Facts, Found, cause, percent
from scale_app.domain.verdict import VerdictKind
from scale_app.domain.verdict_sentence import count
from scale_app.domain.window import Window

MOST_NODES_NAMED = 4


def away(pods: Sequence[str], here: str, place_of: Callable[[str], str]) -> list[str]:
    """The pods, if all of them are elsewhere or places are unknown; none when one of them is here."""
    return [] if here and any(place_of(pod) == here for pod in pods) else list(pods)


def pods_per_node(facts: Facts) -> str:
    """For example "2 pods on node-a, 1 pod on node-b"."""
    eligible = facts.figures.recent.expected
    nodes = Counter(facts.node_of(name) or "an unknown node" for name in eligible)
    named = [f"{count(pods, 'pod')} on {node}" for node, pods in sorted(nodes.items())[:MOST_NODES_NAMED]]
    rest = len(nodes) - len(named)
    return ", ".join(named) + (f" and others on {count(rest, 'more node')}" if rest else "")


def _preferred(facts: Facts, setting: str, starved: Sequence[str], near: str) -> str:
    """What the Service says, and the pods that are starved by it."""
    pods = f"{len(starved)} of {len(facts.figures.recent.expected)} pods"
    return f"The Service has {setting}, and {pods} got almost no requests, none of them {near}; {pods_per_node(facts)}."


@cause(
    code="internal_traffic_policy",
    title="Only pods on the client's node are reached",
    cause="internalTrafficPolicy: Local lets a client reach only the pods of its own node, however many there are.",
    shown_by="the Service's internalTrafficPolicy, pods per node, pods that got almost no requests",
    remedy="Set the policy to Cluster, or run as many pods on each node as its clients need.",
    patch="spec:\n  internalTrafficPolicy: Cluster\n",
)
def internal_traffic_policy(facts: Facts) -> Found | None:
    """Silent as long as pods of other nodes get their share all the same, or nothing is lost where no pod is near."""
    if facts.service is None or not facts.service.local or facts.service.is_external:
        return None
    here, ready = facts.service.client_node, [pod for pod in facts.listed.values() if pod.ready]
    if here and ready and facts.errors and all(pod.node not in ("", here) for pod in ready):
        none = "its only ready pod is not" if len(ready) == 1 else f"none of its {len(ready):,} ready pods is"
        setting = f"internalTrafficPolicy: Local, and {none} on the client's node {here}"
        return Found("certain", f"The Service has {setting}, so packets are dropped.")
    starved = away(facts.starved(), facts.service.client_node, facts.node_of)
    if not starved:
        return None
    evidence = _preferred(facts, "internalTrafficPolicy: Local", starved, "on the client's node")
    return Found("certain", evidence, starved)


@cause(
    code="external_traffic_policy",
    title="Only pods on the node that clients come in by are reached",
    cause="externalTrafficPolicy: Local lets what comes to a node from outside reach only the pods of that node.",
    shown_by="the Service's externalTrafficPolicy, the node that the target is, pods per node, pods without requests",
    remedy="Set the policy to Cluster (pods then see a node's address as the client's), or spread clients over all "
    "nodes as pods are.",
    patch="spec:\n  externalTrafficPolicy: Cluster\n",
)
def external_traffic_policy(facts: Facts) -> Found | None:
    """Certain where the node is known at whose port the run comes in; else whole nodes have to be starved."""
    service = facts.service
    if service is None or not service.local or not service.is_external:
        return None
    starved = away(facts.starved(), service.entry_node, facts.node_of)
    serving = {facts.node_of(name) for name in facts.figures.recent.expected.keys() - set(starved)}
    if not starved or any(facts.node_of(name) in serving for name in starved):
        return None
    node, setting = service.entry_node, f"externalTrafficPolicy: Local and is reached by a {service.entry}"
    evidence = _preferred(
        facts, setting, starved, f"on {node}, whose port that is" if node else "on a node that it reached"
    )
    return Found("certain" if node else "likely", evidence, starved)


@cause(
    code="topology",
    title="Traffic is kept near the client",
    cause="trafficDistribution or topology hints send a client's connections to the pods of its own node or zone.",
    shown_by="the Service's trafficDistribution or hints, pods per node, pods that got almost no requests",
    remedy="Remove the preference, or spread pods over nodes and zones as clients are (topologySpreadConstraints).",
    patch="spec:\n  trafficDistribution: null\n",
)
def topology(facts: Facts) -> Found | None:
    """Silent when far pods get their share, or a near one does not, which no preference explains."""
    service = facts.service
    if service is None or not (service.traffic_distribution or service.topology_hints):
        return None
    by_node = service.traffic_distribution == "PreferSameNode"
    here, place_of = (service.client_node, facts.node_of) if by_node else (service.client_zone, facts.zone_of)
    starved = away(facts.starved(), here, place_of)
    if not starved:
        return None
    preference = service.traffic_distribution
    setting = f"trafficDistribution: {preference}" if preference else "topology hints"
    near = f"{'on the node' if by_node else 'in the zone'} of the client"
    evidence = _preferred(facts, setting, starved, near)
    return Found("certain" if here else "likely", evidence, starved)


IMPROBABLE = 1e-6


@cause(
    code="node_local",
    title="Only the pods of one node get requests",
    cause="A traffic policy Local or a preference for the client's node keeps the connections on one node.",
    shown_by="pods per node, pods that got almost no requests",
    remedy="Check the Service's internalTrafficPolicy, externalTrafficPolicy and trafficDistribution.",
)
def node_local(facts: Facts) -> Found | None:
    """One serving node with at least two pods, those of every other node starved together, each of them or not: of
    hundreds of pods each is due too little to tell. One pod alone may be a hash."""
    if facts.service is not None:
        return None
    explained = facts.explained
    due = {name: requests for name, requests in facts.due().items() if name not in explained}
    got, asked = _by_node(facts, due)
    serving = [node for node in asked if got[node] >= STARVED_BELOW * asked[node]]
    if "" in asked or len(serving) != 1 or len(asked) < 2:
        return None
    near = [name for name in due if facts.node_of(name) == serving[0]]
    if _idle(facts, near) or not _improbable(facts, asked[serving[0]], sum(asked.values())):
        return None
    evidence = f"Only the {len(near)} pods on {serving[0]} got requests in the last seconds; {pods_per_node(facts)}."
    return Found("likely", evidence, sorted(due.keys() - set(near)))


def _by_node(facts: Facts, due: Mapping[str, float]) -> tuple[dict[str, int], dict[str, float]]:
    """Requests that each node's pods got in the recent window, and those due to them."""
    got, asked = dict[str, int](), dict[str, float]()
    for name, requests in due.items():
        node = facts.node_of(name)
        got[node] = got.get(node, 0) + facts.figures.recent.pods[name].requests
        asked[node] = asked.get(node, 0.0) + requests
    return got, asked


def _idle(facts: Facts, near: Sequence[str]) -> bool:
    """Of the pods on the serving node one is starved, too, beyond chance, or there is but one that serves."""
    serving = sum(facts.figures.recent.pods[name].requests > 0 for name in near)
    picks = facts.figures.recent.verdict.effective_picks or 0.0
    by_chance = len(near) * math.exp(-picks / len(near))  # so many pods that get none of the node's picks
    return serving < 2 or len(set(near).intersection(facts.starved())) > by_chance + 3 * math.sqrt(by_chance)


def _improbable(facts: Facts, near: float, total: float) -> bool:
    """All picks of the last seconds meet one node by chance hardly ever. near, total: requests due."""
    picks = facts.figures.recent.verdict.effective_picks or 0.0
    return total - near >= DUE_TO_JUDGE and picks * math.log(near / total) <= math.log(IMPROBABLE)


ALIKE_WITHIN = 0.1
EXPLAINED_FROM = 0.8


@cause(
    code="uneven_places",
    title="Nodes or zones get equal shares, not pods",
    cause="A balancer in front shares the work among nodes or zones first, so pods of a small one get more: a load "
    "balancer of nodes with externalTrafficPolicy: Local, or a proxy or cloud balancer that weighs zones.",
    shown_by="requests and pods per node and per zone",
    remedy="Run as many pods in each (topologySpreadConstraints), or let the balancer share among pods: policy "
    "Cluster, weights by number of pods, cross-zone balancing.",
)
def uneven_places(facts: Facts) -> Found | None:
    """Fires when equal shares of nodes, or of zones, stay and explain nearly all of the distance to fair ones."""
    window = facts.figures.recent
    if window.verdict.kind is not VerdictKind.UNEVEN or not window.attributed or facts.explained:
        return None
    if not stays(window, facts.figures.minute):  # a share that moves from one value to another passes this one
        return None
    local = facts.service is not None and facts.service.local and facts.service.is_external
    for word, place_of in (("node", facts.node_of), ("zone", facts.zone_of)):
        pods = Counter(place_of(name) for name in window.expected)
        shares = _alike(facts, pods, place_of)
        if shares:
            parts = [f"{percent(shares[place])} by {count(pods[place], 'pod')} of {place}" for place in sorted(pods)]
            hot = sorted(name for name in window.expected if pods[place_of(name)] == min(pods.values()))
            evidence = (
                f"Each {word} got the same part of the last requests, however many pods it has: "
                f"{', '.join(parts[:MOST_NODES_NAMED])}."
            )
            return Found("certain" if local and word == "node" else "likely", evidence, hot)
    return None


def explains(got: Mapping[str, float], fitted: Mapping[str, float], left: float) -> bool:
    """Whether at most this part of the distance between the pods' shares and equal ones is left to the fitted ones."""
    off = sum(abs(share - fitted[name]) for name, share in got.items())
    return off <= left * sum(abs(share - 1 / len(got)) for share in got.values())


STEADY_WITHIN = 4.0
"""Standard deviations of chance: every pod is looked at, at every second."""


def stays(recent: Window, longer: Window) -> bool:
    """True when each pod's share of the last seconds is that of before, as far as chance tells, or there is no before.

    longer: a window that ends with the recent one. Chance moves a share as often as it is picked anew.
    """
    now, before = recent.attributed, longer.attributed - recent.attributed
    if not now or before <= 0:
        return True
    per_pick = max(now / (recent.verdict.effective_picks or now), 1.0)
    for name in longer.eligible:
        lately = recent.pods[name].requests if name in recent.pods else 0
        share = longer.pods[name].requests / longer.attributed
        apart = abs(lately / now - (longer.pods[name].requests - lately) / before)
        if apart > STEADY_WITHIN * math.sqrt(per_pick * share * (1 - share) * (1 / now + 1 / before)):
            return False
    return True


def _alike(facts: Facts, pods: Mapping[str, int], place_of: Callable[[str], str]) -> dict[str, float]:
    """The share of each place where all have the same and that explains the pods' shares; {} otherwise.

    pods: of each place."""
    if "" in pods or len(pods) < 2 or len(set(pods.values())) < 2:
        return {}
    window = facts.figures.recent
    got = {name: window.pods[name].requests / window.attributed for name in window.expected}
    fitted = {name: 1 / (len(pods) * pods[place_of(name)]) for name in got}
    shares = dict.fromkeys(pods, 0.0)
    for name, share in got.items():
        shares[place_of(name)] += share
    alike = max(shares.values()) - min(shares.values()) <= ALIKE_WITHIN / len(pods)
    return shares if alike and explains(got, fitted, 1 - EXPLAINED_FROM) else {}


DUE_ALIKE = 1.05
WAYS_FROM = 100
"""Of so many ways to share out the pods to zones of these sizes hardly one fits by chance."""


@cause(
    code="weighted_zones",
    title="Zones get unequal shares, their pods equal ones",
    cause="A balancer in front gives zones weights that do not follow the number of their pods, and shares among the "
    "pods of each evenly.",
    shown_by="requests per zone, and that the pods of a zone get the same",
    remedy="Check the weights of zones at the balancer: Envoy locality_weighted_lb_config, Istio localityLbSetting, a "
    "cloud balancer's zones. If they are intended, enter them as Expected weights (the plan's `weights`).",
)
def weighted_zones(facts: Facts) -> Found | None:
    """Fires where zones of two pods or more each explain nearly all of the distance to the fair shares, and none is
    without work: that has other reasons."""
    window = facts.figures.recent
    if window.verdict.kind is not VerdictKind.UNEVEN or facts.explained or facts.settled:
        return None
    zones = Counter(facts.zone_of(name) for name in window.expected)
    if "" in zones or len(zones) < 2 or min(zones.values()) < 2 or uneven_places.look(facts):
        return None
    shares = _by_zone(facts, zones)
    if not shares or not stays(window, facts.figures.minute):
        return None
    hot = max(zones, key=lambda zone: shares[zone] / zones[zone])
    parts = [f"{percent(shares[zone])} by {count(zones[zone], 'pod')} of {zone}" for zone in sorted(zones)]
    ways = math.factorial(zones.total()) // math.prod(math.factorial(pods) for pods in zones.values())
    evidence = f"The pods of each zone got the same part of the last requests: {', '.join(parts[:MOST_NODES_NAMED])}."
    return Found("likely" if ways >= WAYS_FROM else "possible", evidence, _of_zone(facts, hot))


def _of_zone(facts: Facts, zone: str) -> list[str]:
    return sorted(name for name in facts.figures.recent.expected if facts.zone_of(name) == zone)


def _by_zone(facts: Facts, zones: Mapping[str, int]) -> dict[str, float]:
    """The share of each zone where they explain the pods' shares, and pods are due the same; {} otherwise."""
    window, attributed = facts.figures.recent, facts.figures.recent.attributed
    if max(window.expected.values()) > DUE_ALIKE * min(window.expected.values()):
        return {}
    got = {name: window.pods[name].requests / attributed for name in window.expected}
    shares = {zone: sum(share for name, share in got.items() if facts.zone_of(name) == zone) for zone in zones}
    fitted = {name: shares[facts.zone_of(name)] / zones[facts.zone_of(name)] for name in got}
    working = all(share >= STARVED_BELOW * zones[zone] / len(got) for zone, share in shares.items())
    return shares if working and explains(got, fitted, 1 - EXPLAINED_FROM) else {}
