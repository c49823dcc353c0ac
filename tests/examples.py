"""Example objects of the domain, each with sensible values that a test may override."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from scale_app.domain.balance import balance
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import PodShare, RunState, Snapshot, Source
from scale_app.domain.verdict import Verdict, VerdictKind, judge


def snapshot(run_id: str = "run-1", **changes: Any) -> Snapshot:
    """A running snapshot of two pods with 60 and 40 requests."""
    figures = balance([60, 40])
    verdict = Verdict(VerdictKind.UNDECIDED, "Undecided after 20 connections.", effective_picks=20.0)
    whole = Snapshot(
        run_id=run_id,
        seq=3,
        at_epoch_s=1_800_000_000.0,
        elapsed_s=4.0,
        remaining_s=56.0,
        duration_s=60.0,
        state=RunState.RUNNING,
        source=Source.DEMO,
        target_url="demo",
        message="",
        users=10,
        requests=100,
        failures=0,
        unattributed=0,
        requests_per_s=25.0,
        failures_per_s=0.0,
        connections=20,
        balance=figures,
        verdict=verdict,
        recent_balance=figures,
        recent_verdict=verdict,
        minute_balance=figures,
        minute_verdict=verdict,
        p50_ms=1.0,
        p95_ms=2.0,
        p99_ms=3.0,
        pods=(pod_share("demo-a", requests=60, share=0.6), pod_share("demo-b", requests=40, share=0.4)),
    )
    return replace(whole, **changes)


def pod_share(name: str, **changes: Any) -> PodShare:
    """A ready pod with half of 100 requests."""
    row = PodShare(
        name=name,
        node="",
        ready=True,
        requests=50,
        share=0.5,
        against_fair=0.0,
        connections=10,
        requests_per_s=12.5,
        p95_ms=2.0,
        failures=0,
    )
    return replace(row, **changes)


def an_ended_run(counts: list[int], connections: int | None) -> RunRecord:
    """A keep-alive run "first" whose pods answered so many requests; connections None: one for each request."""
    total = sum(counts)
    loads = {1: total} if connections is None else {round(total / connections): connections}
    plan = LoadPlan(users=20, duration_s=30, requests_per_connection=1 if connections is None else None)
    last = snapshot(
        "first",
        state=RunState.FINISHED,
        elapsed_s=30.0,
        requests=total,
        balance=balance(counts),
        verdict=judge(counts, loads, coverage=1.0),
        pods=tuple(pod_share(f"pod-{i}", requests=n, share=n / total) for i, n in enumerate(counts)),
    )
    return RunRecord("first", plan, Source.DEMO, RunState.FINISHED, 1.0, 31.0, "", last)
