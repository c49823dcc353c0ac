"""A run as lists show it: what is known of it without its last snapshot, which may be large."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Snapshot, Source
from scale_app.domain.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures of a run's last snapshot that lists show; each as in Snapshot. pods: eligible ones."""

    verdict: VerdictKind
    score: float | None
    grade: str | None
    requests: int
    failures: int
    requests_per_s: float
    p95_ms: float | None
    pods: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class RunOutline:
    """A run in a list; the fields of RunRecord, its plan's that lists show, and the headline of its last snapshot.

    headline: None when there was no snapshot yet.
    """

    run_id: str
    target_url: str
    users: int
    duration_s: float
    source: Source
    state: RunState
    created_at_epoch_s: float
    ended_at_epoch_s: float | None = None
    message: str = ""
    experiment_of: str = ""
    baseline: str = ""
    headline: Headline | None = None
    not_stored: str = ""
    unreadable: str = ""


def outline_of(record: RunRecord) -> RunOutline:
    """The run as a list shows it."""
    plan = record.plan
    return RunOutline(
        record.run_id,
        plan.target_url,
        plan.users,
        plan.duration_s,
        record.source,
        record.state,
        record.created_at_epoch_s,
        record.ended_at_epoch_s,
        record.message,
        record.experiment_of,
        record.baseline,
        None if record.last is None else headline_of(record.last),
        record.not_stored,
        record.unreadable,
    )


def headline_of(snapshot: Snapshot) -> Headline:
    """What a list shows of a snapshot."""
    return Headline(
        snapshot.verdict.kind,
        snapshot.balance.score,
        snapshot.balance.grade,
        snapshot.requests,
        snapshot.failures,
        snapshot.requests_per_s,
        snapshot.p95_ms,
        snapshot.balance.pods,
        snapshot.elapsed_s,
    )
