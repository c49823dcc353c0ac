"""A run as the stores' contract keeps it."""

from __future__ import annotations

from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source


def record(run_id: str = "run-1", at_s: float = 100.25, state: RunState = RunState.STARTING) -> RunRecord:
    plan = LoadPlan("http://bücher.example/ä?q=%00", users=7, requests_per_connection=None, think_time_s=0.0)
    return RunRecord(run_id, plan, Source.HEADER, state, at_s)
