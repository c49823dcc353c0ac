"""Snapshots and records for the page's tests."""

from dataclasses import replace

from scale_app.domain.balance import balance
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import PodShare, RunState, Source
from scale_app.domain.verdict import Verdict, VerdictKind
from tests.examples import snapshot as example

VERDICT = Verdict(
    VerdictKind.UNEVEN,
    "Pod a gets twice its fair share.",
    noise_cv=0.02,
    noise_score=0.96,
    score_low=0.1,
    score_high=0.3,
)


def pods(*requests, outliers=()):
    total = sum(requests) or 1
    fair = 1 / len(requests)
    return tuple(
        PodShare(
            f"api-7d9c6b5f4-p{i:04d}",
            "node-a",
            True,
            n,
            n / total,
            n / total / fair - 1,
            n // 5,
            n / 10,
            12.0,
            0,
            outlier=i in outliers,
        )
        for i, n in enumerate(requests)
    )


def snapshot(*requests, seq=1, elapsed_s=10.0, state=RunState.RUNNING, run_id="r1", **more):
    requests = requests or (300, 100, 100)
    figures = balance(requests)
    snap = example(
        run_id,
        seq=seq,
        elapsed_s=elapsed_s,
        remaining_s=60 - elapsed_s,
        state=state,
        users=100,
        requests=sum(requests),
        requests_per_s=50.0,
        connections=100,
        balance=figures,
        verdict=VERDICT,
        recent_balance=figures,
        recent_verdict=VERDICT,
        p50_ms=5.0,
        p95_ms=12.0,
        p99_ms=None,
        pods=pods(*requests),
    )
    return replace(snap, **more)


def record(last=None, state=RunState.RUNNING, run_id="r1", **more):
    return RunRecord(run_id, LoadPlan(), more.pop("source", Source.DEMO), state, 0.0, last=last, **more)
