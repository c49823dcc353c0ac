"""The snapshot of a run, from its windows and its roster."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypedDict, Unpack

from scale_app.domain.alert import Alert
from scale_app.domain.chance import residuals
from scale_app.domain.counting import Counting
from scale_app.domain.findings.facts import Facts
from scale_app.domain.histogram import cut
from scale_app.domain.roster import Roster
from scale_app.domain.samples import PodCount, TrafficSample
from scale_app.domain.snapshot import Finding, PodShare, RunState, Snapshot
from scale_app.domain.unanswered import LIKELY_FROM, Silent
from scale_app.domain.window import Figures, Window
from scale_app.domain.work import WorkBalance, cv_of, failing_pods, slow_pods

DUE_DECIMALS = 1


class OfTheRun(TypedDict):
    """What the run knows of itself and the snapshot says as it is: see Snapshot."""

    run_id: str
    seq: int
    at_epoch_s: float
    state: RunState
    message: str
    alerts: tuple[Alert, ...]
    pods_problem: str
    findings: tuple[Finding, ...]


def snapshot_of(facts: Facts, traffic: TrafficSample | None, counting: Counting, **own: Unpack[OfTheRun]) -> Snapshot:
    """Everything that the faces show, once."""
    return Snapshot(
        **own,
        **_times(facts, own["state"]),
        **_load(traffic, own["state"]),
        **_counts(facts.figures),
        **_judged(facts.figures),
        **_latencies(facts.figures),
        source=facts.source,
        target_url=facts.plan.target_url,
        pods=facts.rows,
        errors=facts.errors,
        alert=next((alert for alert in own["alerts"] if alert.on_balance), None),
        work=work_balance(facts.rows),
        counting=counting.beside(facts.silent_pods),
        service=facts.service,
    )


Part = dict[str, Any]
"""Some fields of a snapshot; its constructor refuses a name that it does not know."""


def _times(facts: Facts, state: RunState) -> Part:
    left_s = max(0.0, facts.plan.duration_s - facts.elapsed_s) if state.active else 0.0
    return {"elapsed_s": facts.elapsed_s, "remaining_s": left_s, "duration_s": facts.plan.duration_s}


def _load(traffic: TrafficSample | None, state: RunState) -> Part:
    if traffic is None:
        return {"users": 0, "connections": 0}
    users = traffic.users if state.active else 0
    return {"users": users, "connections": traffic.connections, "generator": traffic.generator}


def _counts(figures: Figures) -> Part:
    whole, recent = figures.whole, figures.recent
    return {
        "requests": whole.requests,
        "failures": whole.failures,
        "unattributed": max(0, round(whole.most - whole.attributed)),
        "requests_per_s": recent.per_second(recent.requests),
        "failures_per_s": recent.per_second(recent.failures),
    }


def _judged(figures: Figures) -> Part:
    """As figures say it, which at the end of a run is not what its window says."""
    windows = {"recent_": figures.recent, "minute_": figures.minute}
    return {
        "balance": figures.balance,
        "verdict": figures.verdict,
        **{f"{name}balance": window.balance for name, window in windows.items()},
        **{f"{name}verdict": window.verdict for name, window in windows.items()},
        "roster_known": figures.whole.roster_known,
    }


def _latencies(figures: Figures) -> Part:
    of = {"": figures.recent.latency, "whole_": figures.whole.latency}
    percentiles = {f"{name}p{n}_ms": of[name].quantile_ms(n / 100) for name in of for n in (50, 95, 99)}
    return percentiles | {"latencies": cut(figures.whole.latency)}


def work_balance(rows: Sequence[PodShare]) -> WorkBalance:
    return WorkBalance(
        latency_cv=cv_of([row.mean_ms for row in rows if row.mean_ms is not None]),
        in_flight_cv=cv_of([row.in_flight for row in rows if row.in_flight is not None]),
        connections_cv=cv_of([row.connections for row in rows if row.residual is not None]),
    )


def pod_shares(figures: Figures, roster: Roster) -> tuple[PodShare, ...]:
    """One row per pod that answered, could have answered, or is listed; sorted by name."""
    whole, recent = figures.whole, figures.recent
    names = whole.eligible
    counts = [whole.pods[name].requests for name in names]
    z, outlier = residuals(counts, [whole.expected[name] for name in names], figures.verdict.effective_picks or 0.0)
    judged = {name: (float(z[i]), bool(outlier[i])) for i, name in enumerate(names)}
    due = sum(whole.expected.values())
    fair = {name: expected / due for name, expected in whole.expected.items()}
    listed = sorted({*whole.pods, *roster.listed()})
    attributed = whole.attributed  # a sum over the pods: asked for by each of them it would be their square
    rows = [_row(name, whole, attributed, recent, roster, fair.get(name), judged.get(name)) for name in listed]
    return _with_outliers([*_with_unanswered(rows, figures.silent, fair)], recent)


def _with_unanswered(rows: Sequence[PodShare], silent: Silent | None, fair: Mapping[str, float]) -> Iterator[PodShare]:
    """The rows with what got no answer put down to the pods whose silence explains it, by their fair shares."""
    theirs = sum(fair.get(name, 0.0) for name in silent.pods) if silent else 0.0
    for row in rows:
        if silent and theirs and row.name in silent.pods and silent.evidence >= LIKELY_FROM:
            yield replace(row, unanswered=round(silent.unserved * fair.get(row.name, 0.0) / theirs))
        else:
            yield row


def _with_outliers(rows: Sequence[PodShare], recent: Window) -> tuple[PodShare, ...]:
    """The rows with the pods marked that work unlike the others."""
    lately = [recent.pods[row.name].requests if row.name in recent.pods else 0 for row in rows]
    slow = slow_pods([row.mean_ms for row in rows], [row.p95_ms for row in rows], lately)
    failing = failing_pods([row.failures for row in rows], [row.requests for row in rows])
    if not (slow.any() or failing.any()):
        return tuple(rows)
    marks = zip(rows, slow.tolist(), failing.tolist(), strict=True)
    return tuple(replace(row, slow=slow, failing=failing) for row, slow, failing in marks)


def _row(
    name: str,
    whole: Window,
    attributed: int,
    recent: Window,
    roster: Roster,
    fair: float | None,
    judged: tuple[float, bool] | None,
) -> PodShare:
    pod, usage = roster.pod(name), roster.usage.get(name)
    count, expected = whole.pods.get(name, PodCount()), whole.expected.get(name, 0.0)
    share = count.requests / attributed if attributed else 0.0
    now = recent.pods.get(name, PodCount())
    rate, mean_ms = recent.per_second(now.requests), now.latency.mean_ms()
    return PodShare(
        name=name,
        node=pod.node,
        ready=pod.ready,
        requests=count.requests,
        share=share,
        against_fair=share / fair - 1 if fair else 0.0,
        connections=count.connections,
        requests_per_s=rate,
        p95_ms=now.latency.quantile_ms(0.95),
        failures=count.failures,
        residual=judged[0] if judged else None,
        outlier=bool(judged and judged[1]),
        mean_ms=mean_ms,
        in_flight=None if mean_ms is None else rate * mean_ms / 1_000,
        zone=pod.zone,
        restarts=pod.restarts,
        cpu_cores=usage.cpu_cores if usage else None,
        memory_bytes=usage.memory_bytes if usage else None,
        expected=round(expected, DUE_DECIMALS),
    )
