"""Causes in the connections: pods are picked when one is opened, or for each request."""

from __future__ import annotations

import math

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.findings.facts import DUE_TO_JUDGE, Facts, Found, cause, percent, pods
from scale_app.domain.judgement import PICKS_PER_POD
from scale_app.domain.picks import BY_REQUEST_FROM
from scale_app.domain.verdict import VerdictKind
from scale_app.domain.verdict_sentence import count, rounded

HALF, NEARLY = 0.5, 0.75
BY_CHANCE = 3.0
"""Standard deviations of a count of picks."""


@cause(
    code="late_pods",
    title="New pods get no share of open connections",
    cause="A balancer picks a pod when a connection is opened, so pods that join later get only later connections.",
    shown_by="when a pod became ready, its connections and requests since, requests per connection",
    remedy="Limit the age or the number of requests of a connection, or balance per request.",
)
def late_pods(facts: Facts) -> Found | None:
    """Fires under long-lived connections, or some of them, for pods that became ready during the run and get clearly
    less than their due."""
    if not facts.changes or not facts.some_pinned:
        return None
    otherwise = {*facts.silent_pods, *facts.taken_up_slowly}
    came_s = {
        change.pod: change.elapsed_s
        for change in facts.changes
        if change.change in ("joined", "ready") and change.pod not in otherwise
    }
    due = facts.due(came_s)
    window = facts.figures.recent
    each = window.attributed / (facts.figures.recent.verdict.effective_picks or 1.0)
    poor = [
        name
        for name in due
        if due[name] >= DUE_TO_JUDGE and window.pods[name].requests < each * _fair_from(due[name] / each)
    ]
    if not poor:
        return None
    got = sum(window.pods[name].requests for name in poor)
    connections = sum(window.pods[name].connections for name in poor)
    opened = count(connections, "connection")
    evidence = (
        f"Since {pods(poor)} joined after {min(came_s[name] for name in poor):.0f} s, {opened} and "
        f"{got:,} of {sum(due[name] for name in poor):,.0f} expected requests reached them; "
        f"each connection carries {facts.requests_each:,.0f} requests."
    )
    return Found("likely" if connections else "certain", evidence, poor)


def _fair_from(due: float) -> float:
    """The least picks of a pod that gets its share, when this many are due."""
    return max(HALF * due, min(NEARLY * due, due - BY_CHANCE * math.sqrt(due)))


@cause(
    code="taken_up_late",
    title="The balancer takes up new pods late",
    cause="New connections do not reach a pod that has become ready: the proxy has learned of it late, or has not yet.",
    shown_by="when a pod became ready, and when it got its share of new connections for the first time",
    remedy="Wait, then run again. If it stays so, check how the proxy learns of pods: kube-proxy on the client's node, "
    "the watch or DNS cache of an ingress or mesh.",
)
def taken_up_late(facts: Facts) -> Found | None:
    """Fires where connections are short, for pods that stand out by what they missed. In their grace nothing is due to
    them, so none does."""
    came_s = {change.pod: change.elapsed_s for change in facts.changes if change.change in ("joined", "ready")}
    low = {row.name for row in facts.rows if row.outlier and row.against_fair < 0}
    late = [name for name in facts.taken_up_late if name in came_s and name in low]
    if not late or facts.some_pinned:
        return None
    waited_s = [taken_s - facts.late[name].came_s for name in late if (taken_s := facts.late[name].taken_s) is not None]
    until = f"for up to {max(waited_s):.0f} s after that" if len(waited_s) == len(late) else "since"
    evidence = (
        f"{pods(late)} became ready after {min(came_s[name] for name in late):.0f} s and got almost none of "
        f"{sum(facts.late[name].due for name in late):,.0f} expected requests {until}, though new connections were "
        f"opened all the time, one for {facts.requests_each or 0:,.2g} requests."
    )
    return Found("likely", evidence, late)


@cause(
    code="slow_start",
    title="The balancer raises the share of new pods slowly",
    cause="A slow start gives a pod that has become ready little at first, then more and more, so that it can warm up.",
    shown_by="the share of a pod since it became ready, which grew steadily and not in one or two jumps",
    remedy="Wait until it is over, then run again. If it is longer than the pods need to warm up, shorten it: Envoy "
    "slow_start_window, Istio warmup, a target group's slow start. If there is none, look at how pods start.",
)
def slow_start(facts: Facts) -> Found | None:
    """Likely where even two jumps do not explain the growth, as of two proxies that learn of the pod one by one."""
    if not (slowly := facts.taken_up_slowly):
        return None
    name, grew = max(slowly.items(), key=lambda item: item[1].log_two_jumps)
    came_s = max((change.elapsed_s for change in facts.changes if change.pod == name), default=0.0)
    evidence = (
        f"{name} became ready after {came_s:.0f} s; in {grew.seconds:.0f} s its share grew steadily from "
        f"{percent(grew.first)} to {percent(grew.last)} of the fair one, as with a slow start of about "
        f"{grew.window_s:.0f} s."
    )
    return Found("likely" if grew.log_two_jumps >= TWO_JUMPS_FROM else "possible", evidence, slowly)


CHANCE_FROM = 0.05
TWO_JUMPS_FROM = math.log(20)


@cause(
    code="keep_alive_pinning",
    title="Few long connections are spread by chance",
    cause="A layer-4 balancer, or a proxy that hashes the connection, picks a pod once per connection, so with few "
    "long ones even a fair one looks uneven.",
    shown_by="connections, requests per connection, the score of a fair random balancer",
    remedy=(
        "Limit the age or the number of requests of clients' connections, or balance per request. To judge the "
        "balancer itself, run again with a new connection every few requests."
    ),
)
def keep_alive_pinning(facts: Facts) -> Found | None:
    """Fires for a low score that chance explains. Silent when more than chance is at work, or less (round robin)."""
    verdict, score = facts.figures.verdict, facts.figures.balance.score
    if verdict.kind is not VerdictKind.UNDECIDED or verdict.more_even_than_chance or not facts.long_lived:
        return None
    opened, each, usual = facts.connections, facts.requests_each, verdict.noise_score
    if score is None or score >= THRESHOLD or usual is None or usual >= THRESHOLD or opened is None or each is None:
        return None
    evidence = (
        f"{count(opened, 'connection')} carried {each:,.0f} requests each to {facts.figures.balance.pods} pods: "
        f"a fair random balancer would score about {usual:.2f}; the score is {score:.2f}."
    )
    return Found("likely" if (verdict.p_uneven or 0.0) >= CHANCE_FROM else "possible", evidence, explains="open")


@cause(
    code="too_few_connections",
    title="Too few connections to judge",
    cause="The balancer has picked pods too rarely: what was seen is mostly chance.",
    shown_by="effective picks (Kish) for the number of pods",
    remedy="Run longer, with more users, or with a new connection for each request.",
)
def too_few_connections(facts: Facts) -> Found | None:
    """Fires below PICKS_PER_POD effective picks a pod; long connections have a finding of their own."""
    verdict, pods = facts.figures.verdict, facts.figures.balance.pods
    picks = verdict.effective_picks
    if verdict.kind is not VerdictKind.UNDECIDED or picks is None or picks >= PICKS_PER_POD * pods:
        return None
    if verdict.more_even_than_chance or facts.long_lived:
        return None
    unit, more, least = verdict.unit, verdict.picks_to_decide, PICKS_PER_POD * pods
    needed = f"; about {count(rounded(more), f'more {unit}')} would decide" if more else ""
    evidence = f"{count(round(picks), 'effective pick')} for {pods} pods; at least {least:,} are needed{needed}."
    return Found("certain", evidence, explains="open")


SOME_FROM = 0.1
SWITCHES_TO_JUDGE = 5


@cause(
    code="layer7",
    title="A layer-7 balancer picks a pod for each request",
    cause="A proxy in front of the pods terminates the connections and forwards each request separately.",
    shown_by="how often the pod changes from one answer to the next on the same connection",
    remedy="Nothing to change: keep-alive does no harm here.",
)
def layer7(facts: Facts) -> Found | None:
    """Silent for a few switches, and where each connection made but one of the many that it could: then its pod
    went away. It is no cause of uneven work: the causes at a layer-7 balancer are in `proxy`."""
    if facts.figures.verdict.kind is VerdictKind.UNEVEN:
        return None
    fresh, loads = facts.figures.whole.freshness, facts.figures.whole.loads or {}
    switches = sum(carried.switches * n for carried, n in loads.items())
    once = all(carried.switches <= 1 for carried in loads) and any(carried.chances > 1 for carried in loads)
    if fresh < SOME_FROM or ((switches < SWITCHES_TO_JUDGE or once) and not facts.figures.whole.by_request):
        return None
    if facts.figures.whole.by_request:
        evidence = (
            "The counting source shows that the balancer picks a pod for each request, so each request is a pick."
        )
    else:
        chances = sum(carried.chances * n for carried, n in loads.items())
        evidence = (
            f"{switches:,} of {count(chances, 'answer')} came from another pod than the answer before on the same "
            f"connection: {percent(fresh)} of the switches expected if each request gets a new pick."
        )
    return Found("certain" if fresh >= BY_REQUEST_FROM else "likely", evidence, explains="aside")
