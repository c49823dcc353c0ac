"""Causes in a pod: it does not answer, fails, is slow, or is not ready."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median

from scale_app.domain.findings.facts import PINNED_BELOW, Facts, Found, cause, change, percent, pods
from scale_app.domain.numerics import special
from scale_app.domain.snapshot import PodShare
from scale_app.domain.unanswered import LIKELY_FROM, POSSIBLE_FROM, Silent, picks_to_tell
from scale_app.domain.verdict_sentence import count, milliseconds, rounded

MORE_FROM = 0.2
READINESS_PROBE = (
    "spec:\n  template:\n    spec:\n      containers:\n        - name: app\n          readinessProbe:\n"
    "            httpGet:\n              path: {path}\n              port: 8080\n            periodSeconds: 5\n"
)


SlowRow = tuple[PodShare, float]
"""A slow pod, and its share over the due one minus 1."""


def slow_rows(facts: Facts, *, overloaded: bool) -> list[SlowRow]:
    """Slow pods with clearly more than their share, or the other ones."""
    slow = {row.name: row for row in facts.rows if row.slow}
    if not slow:
        return []
    pods, due = facts.figures.recent.pods, facts.due(slow)
    against = {name: pods[name].requests / due[name] - 1 for name in due if due[name] > 0}
    return [(slow[name], excess) for name, excess in against.items() if (excess >= MORE_FROM) is overloaded]


def _worst(facts: Facts, slow: Sequence[SlowRow], by: Callable[[SlowRow], float]) -> tuple[str, list[str]]:
    """The numbers of the worst of these pods beside the others', and the names of all."""
    row, against_due = max(slow, key=by)
    usual_ms = median(other.mean_ms for other in facts.rows if not other.slow and other.mean_ms is not None)
    in_flight = f", with {row.in_flight:.2g} in flight" if row.in_flight is not None else ""
    evidence = (
        f"{row.name} took {milliseconds(row.mean_ms or 0.0)} on average (median of the others: "
        f"{milliseconds(usual_ms)}) and got {change(against_due)} compared with its fair share in the last seconds"
        f"{in_flight}."
    )
    return evidence, [each.name for each, _ in slow]


CAUSES_NAMED = 2
CERTAIN_FROM = 1e4
"""As an alert takes it."""


@cause(
    code="silent_pod",
    title="A ready pod does not answer",
    cause="The pod passes its readiness probe, so it gets its share, but requests to it are dropped, refused or reset.",
    shown_by="answers of the pod against its share, and requests that no pod answered or that were sent again",
    remedy=(
        "Check the pod's log, network policy and node. Let its readiness probe use the same path as requests, "
        "and let the balancer eject pods that do not answer."
    ),
    patch=READINESS_PROBE.format(path="/") + "            timeoutSeconds: 2\n",
)
def silent_pod(facts: Facts) -> Found | None:
    """Fires while the evidence is 100 to 1 that a pod which answers would have got more; where connections are too few
    for that, as possible."""
    silent = facts.silent
    if silent is None:
        return _avoided(*facts.avoided) or _unseen(facts)
    if silent.evidence < LIKELY_FROM:
        return _of_few_connections(facts, silent)
    ranked = sorted(facts.errors.items(), key=lambda item: -item[1])[:CAUSES_NAMED]
    causes = f" ({', '.join(f'{times:,} x {cause}' for cause, times in ranked)})" if ranked else ""
    since = "" if silent.since_s is None else f"Since {silent.since_s:.0f} s "
    evidence = (
        f"{since}{pods(silent.pods)} answered {silent.answered:,} requests; {silent.due:,.0f} were expected from the "
        f"others' answers. {silent.unserved:,} requests ({percent(silent.lost)}) got no answer from a pod{causes}. "
        "The balancer itself may be fair."
    )
    return Found("certain" if silent.evidence >= CERTAIN_FROM else "likely", evidence, silent.pods)


ONLY_FIRST_BELOW = 1e-4


def _of_few_connections(facts: Facts, silent: Silent) -> Found | None:
    """A pod that never answered, where those requests get no answer that are the first on a connection: no loss on the
    way explains that. That something else than the pod takes these connections stays possible."""
    window, opened = facts.figures.with_warm_up, facts.connections
    pinned = facts.source.traits.in_answers and facts.figures.whole.freshness < PINNED_BELOW
    if not pinned or not opened or silent.answered or silent.evidence < POSSIBLE_FROM:
        return None
    lost = silent.unserved
    first = lost - sum(count.unanswered for count in window.pods.values())
    if first <= 0 or special.bdtrc(first - 1, lost, (opened + first) / (window.attributed + lost)) > ONLY_FIRST_BELOW:
        return None
    share, among = silent.due / window.attributed, len(window.expected)
    needed = picks_to_tell(share / len(silent.pods), among, CERTAIN_FROM)
    runs = 1 / (math.comb(among, len(silent.pods)) * (1 - share) ** opened)
    evidence = (
        f"{pods(silent.pods)} got none of {opened:,} connections that were answered, which chance alone does in 1 of "
        f"{runs:,.0f} runs, and {first:,} of {count(lost, 'request')} without an answer "
        f"{'was' if first == 1 else 'were'} the first on a connection, as where this pod takes them. "
        f"About {rounded(needed):,} connections, or a new one every 5 requests, would make it certain."
    )
    return Found("possible", evidence, silent.pods)


def _avoided(idle: Sequence[str], late: int) -> Found | None:
    """Pods that nobody reaches, though no request is lost."""
    if not idle:
        return None
    evidence = (
        f"{pods(idle)} answered 0 requests, and {late:,} other answers, about as many as were due there, were late by "
        "a second or more, as when a connection's first packet is lost and the next one goes to another pod."
    )
    return Found("likely", evidence, idle)


def _unseen(facts: Facts) -> Found | None:
    """Pods that nobody knows may be there and answer nothing."""
    whole = facts.figures.whole
    unseen = whole.unseen(facts.figures.verdict.effective_picks)
    if not unseen:
        return None
    first = "" if facts.by_request else ", each the first on a connection, as these"
    evidence = (
        f"{count(whole.unserved, 'request')} got no answer. {count(len(whole.expected), 'pod')} did answer, and "
        f"{count(unseen, 'more pod')} with the same share would lose as many{first}. "
        "Which pods should answer is unknown."
    )
    return Found("possible", evidence, explains="open")


@cause(
    code="failing_pod",
    title="One pod fails more than the others",
    cause="Something is wrong in this pod or on its node, because the same requests succeed elsewhere.",
    shown_by="failures per pod, by a binomial test against the other pods",
    remedy="Check the pod's log and node. Let its readiness probe detect the failure, so that it gets no requests.",
    patch=READINESS_PROBE.format(path="/ready"),
)
def failing_pod(facts: Facts) -> Found | None:
    """Whatever its share of the requests is."""
    failing = [row for row in facts.rows if row.failing]
    if not failing:
        return None
    worst = max(failing, key=lambda row: row.failures / row.requests)
    others = [row for row in facts.rows if not row.failing]
    failed, requests = sum(row.failures for row in others), sum(row.requests for row in others)
    evidence = f"{_failed(worst)}, the others {percent(failed / max(requests, 1))}."
    return Found("certain", evidence, [row.name for row in failing])


def _failed(row: PodShare) -> str:
    part = percent(row.failures / row.requests)
    return f"{row.name} failed {row.failures:,} of {row.requests:,} requests ({part})"


ATTRACTS_FROM = 0.2


@cause(
    code="failing_magnet",
    title="A failing pod attracts traffic",
    cause="Failures are quick, so the pod looks idle, and a balancer that counts connections or load prefers it.",
    shown_by="failures and share of the pod against the others",
    remedy="Let its readiness probe detect the failure, and eject pods that fail (outlier detection; shown for Istio).",
    patch=(
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nspec:\n  trafficPolicy:\n"
        "    outlierDetection:\n      consecutive5xxErrors: 5\n      interval: 10s\n      baseEjectionTime: 30s\n"
    ),
)
def failing_magnet(facts: Facts) -> Found | None:
    """A failing pod with clearly more than its share, more than chance brings."""
    magnets = [row for row in facts.rows if row.failing and row.outlier and row.against_fair >= ATTRACTS_FROM]
    if not magnets:
        return None
    worst = max(magnets, key=lambda row: row.against_fair)
    evidence = f"{_failed(worst)} and got {change(worst.against_fair)} compared with its fair share."
    return Found("likely", evidence, [row.name for row in magnets])


@cause(
    code="overloaded_pod",
    title="One pod is slow because it gets too much",
    cause="The pod gets more requests than the others and queues them, so imbalance has become latency.",
    shown_by="mean latency (robust outlier test at 0.1 %) together with a share above its fair share",
    remedy="Find out first why it gets more than the others, and change that; adding pods helps only if new "
    "connections reach them.",
)
def overloaded_pod(facts: Facts) -> Found | None:
    """Slower than the others and at least a fifth above its share."""
    slow = slow_rows(facts, overloaded=True)
    return Found("likely", *_worst(facts, slow, lambda found: found[1])) if slow else None


@cause(
    code="slow_pod",
    title="One pod is slower than the others",
    cause="The pod takes longer for the same work, so waiting clients and load-aware balancers give it fewer requests.",
    shown_by="mean latency (robust outlier test at 0.1 %) together with a share at or below its fair share",
    remedy="Check the pod's CPU throttling, garbage collection and node. Until then it should get fewer requests.",
)
def slow_pod(facts: Facts) -> Found | None:
    """Slower than the others and not clearly above its share."""
    slow = slow_rows(facts, overloaded=False)
    return Found("likely", *_worst(facts, slow, lambda found: found[0].mean_ms or 0.0)) if slow else None


@cause(
    code="unready_pods",
    title="Pods are not ready",
    cause="A pod that fails its readiness probe, is starting or is terminating gets no new connection.",
    shown_by="the pods that are listed, and their readiness",
    remedy="Wait until they are ready. If they do not become ready, check their probes and events (kubectl "
    "describe pod).",
)
def unready_pods(facts: Facts) -> Found | None:
    """The pods that are not ready now."""
    unready = sorted(name for name, pod in facts.listed.items() if not pod.ready)
    if not unready:
        return None
    evidence = (
        f"{len(unready)} of {count(len(facts.listed), 'listed pod')} {'is' if len(unready) == 1 else 'are'} not ready; "
        f"{len(facts.listed) - len(unready)} can share the work."
    )
    return Found("certain", evidence, unready, "aside")
