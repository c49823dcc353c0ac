"""Each finding: what makes it fire, with which certainty and pods; and that it is silent without its cause."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.ejection import Ejection
from scale_app.domain.events import PodChanged
from scale_app.domain.findings import CAUSES, diagnose
from scale_app.domain.grace import Late
from scale_app.domain.plan import LoadPlan
from scale_app.domain.rise import Rise
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.snapshot import MOST_PODS_NAMED
from tests.unit.domain.findings.scenes import HEALTHY, Scene, pods

KEEP_ALIVE = LoadPlan(requests_per_connection=None)
LOCAL = ServiceSettings(internal_traffic_policy="Local", client_node="node-a")
AWAY = replace(LOCAL, client_node="node-z")
SAME_NODE = ServiceSettings(traffic_distribution="PreferSameNode", client_node="node-a")
CLOSE = ServiceSettings(traffic_distribution="PreferClose")
HINTS = ServiceSettings(topology_hints=True, client_zone="west")
NODE_PORT = ServiceSettings(external_traffic_policy="Local", entry="node port", entry_node="node-a")
LOAD_BALANCER = ServiceSettings(external_traffic_policy="Local", entry="load balancer")
HASHING = ServiceSettings(leading=("Ingress front: upstream-hash-by: $http_x_user",))
AFFINE = ServiceSettings(session_affinity="ClientIP")
WEIGHTS = ServiceSettings(weights={"a": 3.0, "b": 1.0, "c": 1.0})
PLAIN = ServiceSettings(client_node="node-a")
JOINED = (PodChanged(4.0, "e", "joined"),)
BUSY, LATE, FINE = GeneratorHealth(0.97, 4.0), GeneratorHealth(0.3, 80.0), GeneratorHealth(0.3, 5.0)
BEHIND = GeneratorHealth(0.3, 5.0, 20_000, schedule_lag_p99_ms=90.0)
OUT_OF_PORTS = GeneratorHealth(0.3, 5.0, 20)
NO_PORT = {"no free local port": 3}
ONE_GETS_ALL = pods([5_000, 0, 0, 0, 0])
NEW_IS_IDLE = pods([4_000] * 4 + [0])
NODE_A_ONLY = pods([2_480, 0, 0, 2_520, 0])

BY_REQUEST: dict[str, Any] = {"each": 400, "plan": KEEP_ALIVE, "switches_each": 316}
"""Connections on which nearly every answer is from another pod than the one before, as far as chance lets it."""
WEIGHTED = pods([4_000, 3_000, 3_000, 3_000, 3_000])
SLOWER = pods([3_000] * 4 + [2_000], e={"latency_ms": 3.0})
"""As least connections shares work with a pod that takes half as long again."""
NINE_TO_ONE: dict[str, Any] = {**BY_REQUEST, "switches_each": 70, "earlier": {"a": 9_020, "b": 980}}
EARLIER = {"a": 3_990, "b": 3_004, "c": 3_002, "d": 3_000, "e": 3_004}
UNFIT = {"a": 3_700, "b": 3_000, "c": 2_600, "d": 3_300, "e": 3_400}
EJECTED = Ejection(6, 60, 2.0, since_s=3.0, missed=2_500)
ONE_LESS = pods([4_000] * 4 + [900])
COMES = pods([4_000] * 4 + [2_200])
STEADILY = Rise(4.0, 2.0, [20.0 * i for i in range(1, 13)], [240.0] * 12)
AT_ONCE = Rise(4.0, 2.0, [0.0] * 6 + [240.0] * 6, [240.0] * 12)
A_LITTLE = Rise(4.0, 2.0, [2.1 * i for i in range(1, 13)], [25.2] * 12)
TWICE = Rise(4.0, 2.0, [0.0] * 4 + [120.0] * 4 + [240.0] * 4, [240.0] * 12)
PLACES = pods([4_000, 2_000, 2_000], b={"node": "node-b"}, c={"node": "node-b"})
ZONES = pods(
    [3_000, 3_000, 2_000, 2_000, 2_000],
    **{name: {"zone": "west" if name in "ab" else "east", "node": f"node-{name}"} for name in "abcde"},
)

IN_ZONES = {name: {"zone": "west" if name in "ab" else "east"} for name in "abcde"}
WEIGHTED_ZONES = pods([6_000, 6_040, 1_320, 1_340, 1_300], **IN_ZONES)
TEN_IN_ZONES = pods(
    [3_000] * 5 + [1_000] * 5, **{name: {"zone": "west" if name in "abcde" else "east"} for name in "abcdefghij"}
)

FIRES: list[tuple[str, str, str, Scene]] = [
    # code, certainty, pods concerned, facts
    ("pods_not_named", "certain", "", Scene(pods([50, 50]), unnamed=900)),
    ("pods_not_named", "certain", "", Scene(pods([0, 0]), unnamed=900)),
    ("generator_limit", "certain", "", Scene(pods([4_000] * 5), health=(FINE, BUSY, BUSY, BUSY))),
    ("generator_limit", "certain", "", Scene(pods([4_000] * 5), health=(OUT_OF_PORTS,) * 3, errors=NO_PORT)),
    ("generator_limit", "likely", "", Scene(pods([4_000] * 5), health=(LATE, LATE, LATE))),
    ("generator_limit", "likely", "", Scene(pods([4_000] * 5), health=(LATE, LATE, BUSY))),
    ("generator_limit", "likely", "", Scene(pods([4_000] * 5), health=(BEHIND, BEHIND, OUT_OF_PORTS), errors=NO_PORT)),
    ("headless", "certain", "", Scene(pods([4_000] * 5), service=ServiceSettings(headless=True))),
    ("session_affinity", "certain", "a", Scene(ONE_GETS_ALL, service=AFFINE)),
    ("session_affinity", "certain", "a", Scene(pods([3_000, 2_000, 0, 0, 0]), service=AFFINE)),
    ("internal_traffic_policy", "certain", "bce", Scene(NODE_A_ONLY, service=LOCAL)),
    # The pod on the client's node has gone, and nothing is answered any more.
    ("internal_traffic_policy", "certain", "", Scene(pods([0] * 3), service=AWAY, errors={"timeout": 9})),
    ("external_traffic_policy", "certain", "bce", Scene(NODE_A_ONLY, service=NODE_PORT)),
    ("external_traffic_policy", "likely", "bce", Scene(NODE_A_ONLY, service=LOAD_BALANCER)),
    ("topology", "certain", "bce", Scene(NODE_A_ONLY, service=SAME_NODE)),
    ("topology", "likely", "bce", Scene(NODE_A_ONLY, service=CLOSE)),
    ("topology", "certain", "bce", Scene(NODE_A_ONLY, service=HINTS)),
    ("node_local", "likely", "bce", Scene(NODE_A_ONLY)),
    # Each pod is due too little to tell, all of a node together are not.
    ("node_local", "likely", "bcefhiklnoqr"[:MOST_PODS_NAMED], Scene(pods([8, 0, 0] * 6), each=1)),
    # One of the node's eight pods got none of its 35 connections, as happens by chance.
    ("node_local", "likely", "bcefhiklnoqrtuwx"[:MOST_PODS_NAMED], Scene(pods([200, 0, 0] * 7 + [0] * 3), each=40)),
    ("single_source", "likely", "a", Scene(ONE_GETS_ALL)),
    ("single_source", "likely", "a", Scene(ONE_GETS_ALL, service=PLAIN)),
    ("uneven_places", "likely", "a", Scene(PLACES)),
    ("uneven_places", "certain", "a", Scene(PLACES, service=LOAD_BALANCER)),
    ("uneven_places", "likely", "ab", Scene(ZONES)),
    ("weighted_zones", "possible", "ab", Scene(WEIGHTED_ZONES, **BY_REQUEST)),
    ("weighted_zones", "possible", "ab", Scene(WEIGHTED_ZONES)),
    ("weighted_zones", "likely", "abcde", Scene(TEN_IN_ZONES)),
    ("layer7_weights", "likely", "abcde", Scene(WEIGHTED, **BY_REQUEST, earlier=EARLIER)),
    (
        "layer7_weights",
        "likely",
        "ab",
        Scene(pods([9_000, 1_000]), **BY_REQUEST | {"switches_each": 70}, earlier={"a": 9_020, "b": 980}),
    ),
    ("layer7_ejected", "likely", "e", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": EJECTED})),
    ("layer7_ejected", "likely", "e", Scene(ONE_LESS, each=1, ejections={"e": EJECTED})),
    ("layer7_ejected", "likely", "e", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": replace(EJECTED, until_s=9.0)})),
    ("layer7_ejected", "possible", "e", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": replace(EJECTED, named=False)})),
    ("layer7_left_out", "likely", "de", Scene(pods([4_000, 4_000, 4_000, 0, 0]), **BY_REQUEST)),
    ("layer7_policy", "possible", "abce", Scene(pods(list(UNFIT.values())), **BY_REQUEST, earlier=UNFIT)),
    ("layer7_policy", "possible", "abcde", Scene(WEIGHTED, **BY_REQUEST)),  # nobody knows whether that stays
    ("single_source", "certain", "a", Scene(ONE_GETS_ALL, service=HASHING)),
    ("unequal_weights", "certain", "a", Scene(pods([6_000, 2_050, 1_950]), service=WEIGHTS)),
    ("uneven_connections", "possible", "abc", Scene(pods([6_000, 2_050, 1_950]))),
    ("uneven_connections", "possible", "abc", Scene(pods([6_000, 2_050, 1_950]), service=PLAIN)),
    (
        "uneven_connections",
        "possible",
        "t",
        Scene(pods([26] * 19 + [0]), each=1, plan=LoadPlan(timeout_s=5)),
    ),  # hardly in chi-square
    (
        "late_pods",
        "certain",
        "e",
        Scene(pods([4_000, 4_000, 4_000, 4_000, 0]), each=400, plan=KEEP_ALIVE, changes=JOINED),
    ),
    (
        "late_pods",
        "likely",
        "e",
        Scene(pods([4_000, 4_000, 4_000, 4_000, 800]), each=400, plan=KEEP_ALIVE, changes=JOINED),
    ),
    (  # half of the connections pick a pod for each request
        "late_pods",
        "likely",
        "e",
        Scene(pods([4_000, 4_000, 4_000, 4_000, 2_200]), each=20, plan=KEEP_ALIVE, changes=JOINED, switches_each=9),
    ),
    ("taken_up_late", "likely", "e", Scene(NEW_IS_IDLE, each=4, changes=JOINED, late={"e": Late(3.0, 0.0, 3_200.0)})),
    (  # it has its share now, and missed some of it
        "taken_up_late",
        "likely",
        "e",
        Scene(pods([4_000] * 4 + [2_000]), each=4, changes=JOINED, late={"e": Late(3.0, 10.0, 2_000.0, taken_s=8.0)}),
    ),
    ("slow_start", "likely", "e", Scene(COMES, **BY_REQUEST, changes=JOINED, rises={"e": STEADILY})),
    ("slow_start", "likely", "e", Scene(COMES, each=1, changes=JOINED, rises={"e": STEADILY})),
    (
        "slow_start",
        "possible",
        "e",
        Scene(
            COMES,
            each=1,
            changes=JOINED,
            rises={"e": A_LITTLE},
        ),
    ),
    ("silent_pod", "certain", "e", Scene(pods([400] * 4 + [0]), each=1, errors={"timeout": 400})),
    ("silent_pod", "certain", "e", Scene(pods([400] * 4 + [3]), each=1, errors={"connection reset": 390})),
    ("silent_pod", "certain", "e", Scene(pods([400] * 4 + [0]), each=1, bad_gateway=400)),
    ("silent_pod", "certain", "de", Scene(pods([400] * 3 + [0, 0]), each=1, errors={"connection refused": 800})),
    # What was sent to it is sent again a second later, and answered by another.
    ("silent_pod", "likely", "f", Scene(pods([400] * 5 + [0], a={"latency_ms": 1_010.0}), each=1)),
    (  # as a newer Linux does, each second
        "silent_pod",
        "likely",
        "g",
        Scene(
            pods(
                [300, 90, 10, 800, 800, 800, 0],
                a={"latency_ms": 1_010.0},
                b={"latency_ms": 2_010.0},
                c={"latency_ms": 3_010.0},
            ),
            each=1,
        ),
    ),
    # Few of them are lost, too few to tell whose they were.
    (
        "silent_pod",
        "likely",
        "f",
        Scene(pods([400] * 5 + [0], a={"latency_ms": 1_010.0}), each=1, errors={"timeout": 3}),
    ),
    # Few kept connections, and as few that were tried in vain.
    ("silent_pod", "certain", "e", Scene(pods([4_000] * 4 + [0]), each=200, errors={"timeout": 20})),
    ("unready_pods", "certain", "b", Scene(pods([4_000, 0, 4_000], b={"ready": False}))),
    ("failing_pod", "certain", "b", Scene(pods([1_000] * 3, b={"failures": 290}))),
    ("failing_pod", "certain", "b", Scene(pods([1_000] * 3, a={"failures": 10}, b={"failures": 60}))),
    ("failing_magnet", "likely", "b", Scene(pods([1_000, 2_500, 1_000], b={"failures": 2_400}))),
    ("overloaded_pod", "likely", "a", Scene(pods([6_000, 2_000, 2_000], a={"latency_ms": 40.0}))),
    ("slow_pod", "likely", "a", Scene(pods([1_000, 3_000, 3_000], a={"latency_ms": 40.0}))),
    ("slow_pod", "likely", "a", Scene(pods([3_000, 3_000, 3_000], a={"latency_ms": 40.0}))),
    ("slow_pod", "likely", "a", Scene(pods([2_000, 3_000], a={"latency_ms": 9.0}))),
    ("layer7", "certain", "", Scene(pods([4_000] * 5), each=400, plan=KEEP_ALIVE, switches_each=318)),
    ("foreign_traffic", "certain", "ba", Scene(pods([1_000] * 2), excess={"a": 30, "b": 400})),
    (
        "keep_alive_pinning",
        "likely",
        "",
        Scene(pods([2_760, 3_650, 5_990, 4_600, 3_000]), each=400, plan=KEEP_ALIVE),
    ),
    ("too_few_connections", "certain", "", Scene(pods([20, 5, 15, 10, 5]))),
]

SILENT: list[tuple[str, Scene]] = [
    ("pods_not_named", Scene(pods([500, 480]), unnamed=20)),
    ("pods_not_named", Scene(pods([0, 0]), unnamed=900, redirects=800)),
    ("generator_limit", Scene(pods([4_000] * 5), health=(BUSY, BUSY, FINE))),
    ("generator_limit", Scene(pods([4_000] * 5), health=(OUT_OF_PORTS,) * 3)),  # which others hold, and nobody missed
    ("generator_limit", Scene(pods([4_000] * 5), health=(BUSY, BUSY))),
    ("headless", Scene(ONE_GETS_ALL, service=PLAIN)),
    ("session_affinity", Scene(ONE_GETS_ALL)),
    ("internal_traffic_policy", Scene(NODE_A_ONLY)),
    ("internal_traffic_policy", Scene(pods([4_000] * 3), service=AWAY)),  # another proxy than kube-proxy, perhaps
    ("internal_traffic_policy", Scene(pods([4_000] * 3), service=LOCAL, errors={"timeout": 9})),
    # A starved pod on the client's own node is not explained by staying local.
    ("internal_traffic_policy", Scene(pods([4_000, 0, 0, 0, 0]), service=LOCAL)),
    ("internal_traffic_policy", Scene(NODE_A_ONLY, service=replace(NODE_PORT, internal_traffic_policy="Local"))),
    ("external_traffic_policy", Scene(NODE_A_ONLY, service=replace(NODE_PORT, entry="cluster address"))),
    ("external_traffic_policy", Scene(NODE_A_ONLY, service=replace(NODE_PORT, entry="", entry_node=""))),
    ("external_traffic_policy", Scene(NODE_A_ONLY, service=replace(NODE_PORT, external_traffic_policy="Cluster"))),
    ("external_traffic_policy", Scene(NODE_A_ONLY, service=replace(NODE_PORT, entry_node="node-b"))),
    ("external_traffic_policy", Scene(pods([4_000, 0, 0, 0, 0]), service=LOAD_BALANCER)),  # d is on the node of a
    ("external_traffic_policy", Scene(pods([4_000] * 5), service=NODE_PORT)),
    ("topology", Scene(NODE_A_ONLY, service=PLAIN)),
    ("topology", Scene(pods([4_000, 0, 0, 0, 0]), service=SAME_NODE)),
    ("node_local", Scene(pods([2_500, 2_500, 0, 2_500, 0]))),
    ("node_local", Scene(ONE_GETS_ALL)),
    ("node_local", Scene(pods([100, 0, 0] * 2), each=40)),  # five connections
    ("node_local", Scene(pods([400, 0, 400, 400, 0, 400]), each=1, errors={"timeout": 400})),  # node-b's do not answer
    ("node_local", Scene(pods([2_500, 0, 0, 2_500, 0, 0, 0]))),  # g is idle on the node of a and d
    ("node_local", Scene(NODE_A_ONLY, service=LOCAL)),
    ("single_source", Scene(ONE_GETS_ALL, service=AFFINE)),
    ("single_source", Scene(pods([20, 0, 0, 0, 0]), each=10)),
    ("single_source", Scene(pods([5_000, 50, 0, 0, 0]))),
    ("single_source", Scene(pods([400, 0]), each=1, errors={"timeout": 400})),  # the other one does not answer
    ("single_source", Scene(pods([4_000, 0]), each=400, plan=KEEP_ALIVE, changes=(PodChanged(4.0, "b", "joined"),))),
    # The weights say that c is the heavy one, so they are not why a is.
    ("unequal_weights", Scene(pods([6_000, 2_000, 2_000]), service=replace(WEIGHTS, weights={"a": 1.0, "c": 3.0}))),
    ("unequal_weights", Scene(pods([6_000, 2_000, 2_000]), service=replace(WEIGHTS, weights={"a": 1.0, "b": 1.0}))),
    ("uneven_places", Scene(pods([4_000, 2_000, 2_000]))),  # a node each
    ("uneven_places", Scene(pods([4_000] * 3, b={"node": "node-b"}, c={"node": "node-b"}))),
    ("uneven_places", Scene(pods([4_000, 3_000, 1_000], b={"node": "node-b"}, c={"node": "node-b"}))),
    ("weighted_zones", Scene(pods([6_000, 6_040, 1_320, 1_340, 1_300]))),  # nobody knows the zones
    ("weighted_zones", Scene(pods([6_000, 2_000, 3_000, 1_600, 3_400], **IN_ZONES))),
    ("weighted_zones", Scene(pods([4_000] * 5, **IN_ZONES))),
    ("weighted_zones", Scene(ZONES)),  # equal shares, which are told as such
    ("weighted_zones", Scene(pods([8_000, 8_000, 0, 0, 0], **IN_ZONES))),  # kept near, perhaps
    ("weighted_zones", Scene(pods([8_000, 2_000, 2_000], a={"zone": "west"}, b={"zone": "e"}, c={"zone": "e"}))),
    ("layer7_policy", Scene(WEIGHTED_ZONES, **BY_REQUEST)),
    ("layer7_weights", Scene(WEIGHTED_ZONES, **BY_REQUEST)),
    ("uneven_connections", Scene(WEIGHTED_ZONES)),
    ("layer7_weights", Scene(WEIGHTED, earlier=EARLIER)),  # at layer 4
    ("layer7_weights", Scene(WEIGHTED, **BY_REQUEST)),
    ("layer7_weights", Scene(WEIGHTED, **BY_REQUEST, earlier=dict.fromkeys("abcde", 3_200))),  # it does not stay
    ("layer7_weights", Scene(pods(list(UNFIT.values())), **BY_REQUEST, earlier=UNFIT)),
    ("layer7_weights", Scene(SLOWER, **BY_REQUEST, earlier={**dict.fromkeys("abcd", 3_000), "e": 2_000})),
    ("layer7_weights", Scene(pods([4_000] * 5), **BY_REQUEST, earlier=dict.fromkeys("abcde", 4_000))),
    ("layer7_ejected", Scene(ONE_LESS, **BY_REQUEST)),
    ("layer7_ejected", Scene(ONE_LESS, each=400, plan=KEEP_ALIVE, ejections={"e": EJECTED})),  # pinned
    ("layer7_ejected", Scene(ONE_LESS, **BY_REQUEST, service=LOCAL, ejections={"e": EJECTED})),
    # Its users may wait for it.
    ("layer7_ejected", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": replace(EJECTED, missed=14.0)})),
    # It has got its share for long, or lacks more than that.
    ("layer7_ejected", Scene(pods([4_000] * 5), **BY_REQUEST, ejections={"e": replace(EJECTED, until_s=4.0)})),
    ("layer7_ejected", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": replace(EJECTED, until_s=4.0, missed=900)})),
    (
        "layer7_ejected",
        Scene(NEW_IS_IDLE, each=1, errors={"timeout": 4_000}, ejections={"e": EJECTED}),
    ),  # does not answer
    ("layer7_left_out", Scene(pods([4_000] * 4 + [0]), **BY_REQUEST, ejections={"e": EJECTED})),
    ("layer7_policy", Scene(ONE_LESS, **BY_REQUEST, ejections={"e": EJECTED})),
    ("uneven_connections", Scene(ONE_LESS, each=1, ejections={"e": EJECTED})),
    ("layer7_left_out", Scene(pods([4_000, 4_000, 4_000, 0, 0]), each=400, plan=KEEP_ALIVE)),
    ("layer7_left_out", Scene(pods([4_000, 0, 0, 4_000, 0]), **BY_REQUEST, service=LOCAL)),
    ("layer7_left_out", Scene(WEIGHTED, **BY_REQUEST)),
    ("layer7_policy", Scene(WEIGHTED, **BY_REQUEST, earlier=EARLIER)),
    ("layer7_policy", Scene(pods([4_000, 4_000, 4_000, 0, 0]), **BY_REQUEST)),
    ("layer7_policy", Scene(WEIGHTED, each=400, plan=KEEP_ALIVE)),
    ("layer7_policy", Scene(pods([6_000, 2_000, 2_000], a={"latency_ms": 40.0}), **BY_REQUEST)),
    ("layer7_policy", Scene(PLACES, **BY_REQUEST)),
    ("layer7", Scene(WEIGHTED, **BY_REQUEST, earlier=EARLIER)),
    ("uneven_connections", Scene(WEIGHTED, **BY_REQUEST)),
    ("uneven_connections", Scene(NEW_IS_IDLE, each=4, changes=JOINED, late={"e": Late(3.0, 0.0, 3_200.0)})),
    ("taken_up_late", Scene(NEW_IS_IDLE, each=4, changes=JOINED)),  # it had got its share once
    ("taken_up_late", Scene(NEW_IS_IDLE, each=400, changes=JOINED, late={"e": Late(3.0, 0.0, 3_200.0)})),  # pinned
    # It gets half of its share, which is a preference.
    (
        "taken_up_late",
        Scene(pods([4_000] * 4 + [2_000]), each=4, changes=JOINED, late={"e": Late(3.0, 1_000.0, 2_000.0)}),
    ),
    (  # it has got about its share for long
        "taken_up_late",
        Scene(pods([4_000] * 4 + [3_990]), each=4, changes=JOINED, late={"e": Late(3.0, 0.0, 90.0, taken_s=4.0)}),
    ),
    ("slow_start", Scene(COMES, each=1, changes=JOINED, rises={"e": AT_ONCE})),
    ("slow_start", Scene(COMES, each=1, changes=JOINED, rises={"e": TWICE})),
    ("slow_start", Scene(COMES, each=5, changes=JOINED, rises={"e": STEADILY})),  # as connections are renewed
    ("slow_start", Scene(pods([4_000] * 5), each=1, changes=JOINED, rises={"e": STEADILY})),  # it lacks nothing
    ("slow_start", Scene(pods([4_000] * 4 + [2_200], e={"latency_ms": 40.0}), each=1, rises={"e": STEADILY})),
    ("layer7_policy", Scene(COMES, **BY_REQUEST, changes=JOINED, rises={"e": STEADILY})),
    ("uneven_connections", Scene(COMES, each=1, changes=JOINED, rises={"e": STEADILY})),
    ("late_pods", Scene(COMES, **BY_REQUEST | {"switches_each": 200}, changes=JOINED, rises={"e": STEADILY})),
    ("uneven_connections", Scene(PLACES)),
    ("uneven_connections", Scene(ONE_GETS_ALL)),  # a hash explains it
    ("uneven_connections", Scene(pods([6_000, 2_000, 2_000]), service=WEIGHTS)),
    ("uneven_connections", Scene(pods([6_000, 2_000, 2_000], a={"latency_ms": 40.0}))),
    ("uneven_connections", Scene(pods([6_000, 2_000, 2_000], a={"connections": 670}, b={"connections": 660}))),
    ("late_pods", Scene(pods([4_000, 4_000, 4_000, 4_000, 0]), changes=JOINED)),
    ("late_pods", Scene(pods([4_000, 4_000, 4_000, 4_000, 0]), each=400, plan=KEEP_ALIVE)),
    (
        "late_pods",  # each request is a pick
        Scene(pods([4_000, 4_000, 4_000, 4_000, 2_200]), each=20, plan=KEEP_ALIVE, changes=JOINED, switches_each=15),
    ),
    ("late_pods", Scene(pods([20, 20, 20, 20, 0]), each=40, plan=KEEP_ALIVE, changes=JOINED)),
    ("silent_pod", Scene(pods([400] * 4 + [0]), each=1)),  # starved by the balancer: nothing is lost
    ("silent_pod", Scene(pods([400] * 4 + [0]), each=1, errors={"timeout": 20})),  # far less than its share
    ("silent_pod", Scene(pods([400] * 5), each=1, errors={"timeout": 400})),
    ("silent_pod", Scene(pods([400] * 5, a={"latency_ms": 1_010.0}), each=1)),  # all answer
    ("silent_pod", Scene(pods([400] * 5 + [0], a={"latency_ms": 2_000.0}), each=1)),  # late by something else
    ("silent_pod", Scene(pods([300] * 5 + [0], **{name: {"latency_ms": 1_010.0} for name in "abcd"}), each=1)),
    ("uneven_connections", Scene(pods([400] * 5 + [0], a={"latency_ms": 1_010.0}), each=1)),
    ("silent_pod", Scene(pods([400] * 4 + [200]), each=1, errors={"timeout": 200})),  # it answers
    ("silent_pod", Scene(pods([5] * 4 + [0]), each=1, errors={"timeout": 5})),  # too few to tell
    ("late_pods", Scene(pods([4_000] * 4 + [0]), each=400, plan=KEEP_ALIVE, changes=JOINED, errors={"timeout": 20})),
    ("uneven_connections", Scene(pods([400] * 4 + [0]), each=1, errors={"timeout": 400})),
    ("uneven_connections", Scene(pods([26] * 19 + [0]), each=1)),  # what it was asked may wait for its timeout
    ("layer7", Scene(pods([4_000, 80]), each=50, plan=KEEP_ALIVE, switches_each=1)),  # each failed over once
    ("failing_pod", Scene(pods([1_000] * 3, b={"failures": 4}))),
    ("failing_pod", Scene(pods([10] * 3, b={"failures": 4}))),
    ("failing_pod", Scene(pods([10] * 3, a={"failures": 4}, b={"failures": 9}, c={"failures": 3}))),
    ("failing_magnet", Scene(pods([1_000] * 3, b={"failures": 290}))),
    ("overloaded_pod", Scene(pods([6_000, 2_000, 2_000]))),
    ("overloaded_pod", Scene(pods([3_000] * 3, a={"latency_ms": 40.0}))),
    ("slow_pod", Scene(pods([6_000, 2_000, 2_000], a={"latency_ms": 40.0}))),
    ("slow_pod", Scene(pods([10, 3_000, 3_000], a={"latency_ms": 40.0}))),
    ("slow_pod", Scene(pods([3_000] * 3, a={"latency_ms": 3.5}))),
    ("foreign_traffic", Scene(pods([1_000] * 2), excess={"a": -30, "b": 0})),
    ("foreign_traffic", Scene(pods([1_000] * 2), excess={"a": 50, "b": 40})),
    ("foreign_traffic", Scene(pods([300] * 2), excess={"a": 15})),
    ("foreign_traffic", Scene(pods([9_000] * 2), excess={"a": 50})),
    ("keep_alive_pinning", Scene(pods([2_760, 3_650, 5_990, 4_600, 3_000]), each=2)),
    ("keep_alive_pinning", Scene(pods([40, 50, 65, 45, 50]))),
    ("keep_alive_pinning", Scene(ONE_GETS_ALL, each=100, plan=KEEP_ALIVE)),
    (
        "keep_alive_pinning",
        Scene(pods([2_760, 3_650, 5_990, 4_600, 3_000]), each=400, plan=KEEP_ALIVE, switches_each=316),
    ),
    ("too_few_connections", Scene(pods([40, 50, 60, 45, 55]))),
    ("too_few_connections", Scene(pods([20, 5, 15, 10, 5]), plan=KEEP_ALIVE)),
]


@pytest.mark.parametrize(("code", "certainty", "names", "scene"), FIRES)
def test_a_finding_fires_on_its_cause(code: str, certainty: str, names: str, scene: Scene) -> None:
    found = {finding.code: finding for finding in diagnose(scene.facts())}
    assert code in found
    assert found[code].certainty == certainty
    assert "".join(found[code].pods) == names


@pytest.mark.parametrize(("code", "scene"), SILENT)
def test_a_finding_is_silent_without_its_cause(code: str, scene: Scene) -> None:
    assert code not in {finding.code for finding in diagnose(scene.facts())}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_run_has_no_finding(name: str) -> None:
    assert diagnose(HEALTHY[name].facts()) == ()


def test_every_cause_is_tested_both_ways() -> None:
    codes = {cause.code for cause in CAUSES}
    assert {code for code, *_ in FIRES} == codes
    only_in_healthy_runs = {"unready_pods"}
    assert {code for code, _ in SILENT} | only_in_healthy_runs == codes


@pytest.mark.parametrize(("code", "certainty", "names", "scene"), FIRES)
def test_sentences_are_whole_and_bear_numbers(code: str, certainty: str, names: str, scene: Scene) -> None:
    finding = next(finding for finding in diagnose(scene.facts()) if finding.code == code)
    for sentence in (finding.cause, finding.evidence, finding.remedy):
        assert sentence.endswith(".")
        assert "  " not in sentence
    assert "\n" not in finding.title + finding.evidence
    assert any(letter.isdigit() for letter in finding.evidence) or code == "layer7"


@pytest.mark.parametrize(
    ("health", "told"),
    [
        ((BUSY,) * 3, ["97 % of a core"]),
        ((LATE,) * 3, ["80 ms late"]),
        ((BEHIND,) * 3, ["90 ms or more after"]),
        ((OUT_OF_PORTS,) * 3, ["only 20 local ports"]),
        ((LATE, LATE, BUSY), ["97 % of a core", "80 ms late"]),
    ],
)
def test_only_limits_that_were_hit_are_told_of_the_load_generator(
    health: tuple[GeneratorHealth, ...], told: list[str]
) -> None:
    (finding,) = diagnose(Scene(pods([4_000] * 5), health=health, errors=NO_PORT).facts())
    every = ("97 % of a core", "80 ms late", "90 ms or more after", "only 20 local ports")
    assert [words for words in every if words in finding.evidence] == told
    assert finding.evidence.count("limit ") == sum("core" in words or "late" in words for words in told)


def test_what_all_requests_have_in_common_is_named_where_one_pod_gets_them_all() -> None:
    plan = LoadPlan(headers={"X-User": "7"})
    (finding,) = (each for each in diagnose(Scene(ONE_GETS_ALL, plan=plan).facts()) if each.code == "single_source")
    assert finding.evidence.endswith("All came from one address to one URL with the same X-User.")


def test_shares_that_stay_are_told_as_small_whole_numbers() -> None:
    (finding,) = diagnose(Scene(WEIGHTED, **BY_REQUEST, earlier=EARLIER).facts())
    assert finding.evidence.startswith("The pods' shares stay at 4:3:3:3:3, as with such weights: a got 25 % of 32,000")


def test_slower_pods_that_get_less_are_told_so() -> None:
    before = dict.fromkeys("abcde", 3_000) | {"e": 2_000}
    (found,) = diagnose(Scene(SLOWER, **BY_REQUEST, earlier=before).facts())
    assert (found.code, found.certainty) == ("layer7_policy", "possible")
    assert found.evidence.endswith("slower pods get less, as with least connections.")
    alike = Scene(pods([3_000] * 4 + [2_000]), **BY_REQUEST, earlier=before)
    assert [each.code for each in diagnose(alike.facts())] == ["layer7_weights"]


def test_causes_of_uneven_work_come_first_then_the_surest_and_equals_keep_the_order_of_the_list() -> None:
    four = pods([6_000, 2_000, 2_000, 0], a={"latency_ms": 40.0}, d={"ready": False})
    found = diagnose(Scene(four, health=(BUSY, BUSY, BUSY), excess={"b": 900}).facts())
    codes = ["overloaded_pod", "generator_limit", "unready_pods", "foreign_traffic"]
    assert [finding.code for finding in found] == codes


def test_at_most_ten_pods_are_named() -> None:
    unready = pods([4_000, 4_000] + [0] * 15, **{chr(99 + i): {"ready": False} for i in range(15)})
    (finding,) = diagnose(Scene(unready).facts())
    assert finding.evidence.startswith("15 of 17 listed pods are not ready")
    assert len(finding.pods) == MOST_PODS_NAMED
