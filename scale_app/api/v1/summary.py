"""A run in a list, as /api/v1 and the command line give it. Field names are the wire's."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.record import RunOutline
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list. Times are wall-clock seconds since 1970.

    requests, score, grade, verdict, failures, requests_per_s, p95_ms, pods, elapsed_s: of the last snapshot; None, or
    0 of a count, without one, or without enough to judge.
    not_stored: why a part of it is not stored yet, "" when all is, or will be in a moment. unreadable: what of the
    stored run cannot be read, "" when nothing is known to be.
    """

    run_id: str
    target_url: str
    source: Source
    state: RunState
    message: str
    created_at_epoch_s: float
    ended_at_epoch_s: float | None
    users: int
    duration_s: float
    requests: int
    score: float | None
    grade: str | None
    verdict: VerdictKind | None
    experiment_of: str
    baseline: str
    not_stored: str = ""
    unreadable: str = ""
    failures: int = 0
    requests_per_s: float | None = None
    p95_ms: float | None = None
    pods: int | None = None
    elapsed_s: float | None = None


def summary_of(run: RunOutline) -> RunSummary:
    """The run as a list shows it."""
    said = run.headline
    return RunSummary(
        run_id=run.run_id,
        target_url=run.target_url,
        source=run.source,
        state=run.state,
        message=run.message,
        created_at_epoch_s=run.created_at_epoch_s,
        ended_at_epoch_s=run.ended_at_epoch_s,
        users=run.users,
        duration_s=run.duration_s,
        requests=said.requests if said else 0,
        score=said.score if said else None,
        grade=said.grade if said else None,
        verdict=said.verdict if said else None,
        experiment_of=run.experiment_of,
        baseline=run.baseline,
        not_stored=run.not_stored,
        unreadable=run.unreadable,
        failures=said.failures if said else 0,
        requests_per_s=said.requests_per_s if said else None,
        p95_ms=said.p95_ms if said else None,
        pods=said.pods if said else None,
        elapsed_s=said.elapsed_s if said else None,
    )
