"""The snapshot of a run, from its windows and its roster."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.alert import Alert
from scale_app.domain.plan import LoadPlan
from scale_app.domain.residuals import residuals
from scale_app.domain.roster import Roster
from scale_app.domain.samples import GeneratorHealth, PodCount, TrafficSample
from scale_app.domain.snapshot import PodShare, RunState, Snapshot, Source
from scale_app.domain.window import Figures, Window


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run is, beside its counts."""

    run_id: str
    seq: int
    at_epoch_s: float
    elapsed_s: float
    state: RunState
    source: Source
    message: str
    alert: Alert | None


def snapshot_of(
    plan: LoadPlan, progress: Progress, figures: Figures, roster: Roster, traffic: TrafficSample | None
) -> Snapshot:
    """Everything that the faces show, once."""
    whole, recent = figures.whole, figures.recent
    return Snapshot(
        run_id=progress.run_id,
        seq=progress.seq,
        at_epoch_s=progress.at_epoch_s,
        elapsed_s=progress.elapsed_s,
        remaining_s=max(0.0, plan.duration_s - progress.elapsed_s) if progress.state.active else 0.0,
        duration_s=plan.duration_s,
        state=progress.state,
        source=progress.source,
        target_url=plan.target_url,
        message=progress.message,
        users=traffic.users if traffic and progress.state.active else 0,
        requests=whole.requests,
        failures=whole.failures,
        unattributed=max(0, whole.requests - whole.attributed),
        requests_per_s=recent.per_second(recent.requests),
        failures_per_s=recent.per_second(recent.failures),
        connections=traffic.connections if traffic else 0,
        balance=figures.balance,
        verdict=figures.verdict,
        recent_balance=figures.recent_balance,
        recent_verdict=figures.recent_verdict,
        p50_ms=recent.latency.quantile_ms(0.50),
        p95_ms=recent.latency.quantile_ms(0.95),
        p99_ms=recent.latency.quantile_ms(0.99),
        pods=pod_shares(figures, roster),
        errors=dict(traffic.errors) if traffic else {},
        alert=progress.alert,
        generator=traffic.generator if traffic else GeneratorHealth(),
    )


def pod_shares(figures: Figures, roster: Roster) -> tuple[PodShare, ...]:
    """One row per pod that answered, could have answered, or is listed; sorted by name."""
    whole, recent = figures.whole, figures.recent
    names = whole.eligible
    counts = [whole.pods[name].requests for name in names]
    z, outlier = residuals(counts, [whole.expected[name] for name in names], figures.verdict.effective_picks or 0.0)
    judged = {name: (float(z[i]), bool(outlier[i])) for i, name in enumerate(names)}
    fair = {name: expected / sum(whole.expected.values()) for name, expected in whole.expected.items()}
    rows = sorted({*whole.pods, *roster.listed()})
    return tuple(_row(name, whole, recent, roster, fair.get(name), judged.get(name)) for name in rows)


def _row(
    name: str,
    whole: Window,
    recent: Window,
    roster: Roster,
    fair: float | None,
    judged: tuple[float, bool] | None,
) -> PodShare:
    count, pod = whole.pods.get(name, PodCount()), roster.pod(name)
    share = count.requests / whole.attributed if whole.attributed else 0.0
    now = recent.pods.get(name, PodCount())
    return PodShare(
        name=name,
        node=pod.node,
        ready=pod.ready,
        requests=count.requests,
        share=share,
        against_fair=share / fair - 1 if fair else 0.0,
        connections=count.connections,
        requests_per_s=recent.per_second(now.requests),
        p95_ms=now.latency.quantile_ms(0.95),
        failures=count.failures,
        residual=judged[0] if judged else None,
        outlier=bool(judged and judged[1]),
    )
