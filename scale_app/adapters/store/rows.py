"""Domain objects to rows and back. Everything inside a row's JSON goes through the codec."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from scale_app.adapters.store.tables import PlanRow, RunRow
from scale_app.codec import from_json, to_json
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import Event, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Recorded
from scale_app.domain.run import RunRecord
from scale_app.domain.saved_plan import SavedPlan
from scale_app.domain.snapshot import Point, RunState, Snapshot, Source, point_of

KINDS: dict[str, Any] = {kind.__dataclass_fields__["kind"].default: kind for kind in get_args(Event)}


def run_values(record: RunRecord) -> dict[str, Any]:
    """Columns of `runs` for a record."""
    return {
        "id": record.run_id,
        "plan_json": to_json(record.plan).decode(),
        "source": record.source.value,
        "state": record.state.value,
        "created_at_epoch_s": record.created_at_epoch_s,
        "ended_at_epoch_s": record.ended_at_epoch_s,
        "message": plain(record.message),
        "last_json": None if record.last is None else to_json(record.last).decode(),
        "experiment_of": record.experiment_of,
        "target_url": record.plan.target_url,
        "verdict": "" if record.last is None else record.last.verdict.kind.value,
        "baseline": record.baseline,
    }


def event_values(run_id: str, first_seq: int, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Columns of `run_events` for events that follow one another."""
    return [
        {
            "run_id": run_id,
            "seq": seq,
            "elapsed_s": event.elapsed_s,
            "kind": event.kind,
            "point_json": to_json(point_of(event.snapshot)).decode() if isinstance(event, SnapshotTaken) else None,
            "body_json": to_json(event).decode(),
        }
        for seq, event in enumerate(events, first_seq)
    ]


def summary_values(events: Iterable[Event], now_epoch_s: float) -> dict[str, Any]:
    """What the events change in their run's row; empty when nothing."""
    changed: dict[str, Any] = {}
    for event in events:
        if isinstance(event, SnapshotTaken):
            changed["last_json"] = to_json(event.snapshot).decode()
            changed["verdict"] = event.snapshot.verdict.kind.value
            changed["source"] = event.snapshot.source.value
        elif isinstance(event, PlanEdited):
            changed["plan_json"] = to_json(event.plan).decode()
        elif isinstance(event, StateChanged):
            changed["state"] = event.state.value
            changed["message"] = plain(event.message)
            changed["ended_at_epoch_s"] = None if event.state.active else now_epoch_s
    return changed


def record_of(row: RunRow) -> RunRecord:
    """The record in a row. Raises StoreUnavailable when this version cannot read it."""
    try:
        return RunRecord(
            run_id=row.id,
            plan=from_json(LoadPlan, row.plan_json),
            source=Source(row.source),
            state=RunState(row.state),
            created_at_epoch_s=row.created_at_epoch_s,
            ended_at_epoch_s=row.ended_at_epoch_s,
            message=row.message,
            last=None if row.last_json is None else from_json(Snapshot, row.last_json),
            experiment_of=row.experiment_of,
            baseline=row.baseline,
        )
    except ValueError as error:
        raise _unreadable(row.id) from error


def plan_values(saved: SavedPlan) -> dict[str, Any]:
    """Columns of `saved_plans`."""
    return {
        "name": saved.name,
        "plan_json": to_json(saved.plan).decode(),
        "saved_at_epoch_s": saved.saved_at_epoch_s,
    }


def saved_plan_of(row: PlanRow) -> SavedPlan:
    """The plan in a row. Raises StoreUnavailable when this version cannot read it."""
    try:
        return SavedPlan(row.name, from_json(LoadPlan, row.plan_json), row.saved_at_epoch_s)
    except ValueError as error:
        raise StoreUnavailable(
            f"The saved plan {row.name!r} is stored in a form that this version of Scale cannot read. "
            "Start the version that kept it, or delete the plan."
        ) from error


def events_of(run_id: str, rows: Sequence[tuple[str, str]]) -> list[Event]:
    """The events in (kind, body) rows. Raises StoreUnavailable when this version cannot read one."""
    try:
        return [from_json(KINDS[kind], body) for kind, body in rows]
    except (ValueError, KeyError) as error:
        raise _unreadable(run_id) from error


def points_of(run_id: str, points: Sequence[str]) -> list[Point]:
    """The points in their JSON. Raises StoreUnavailable when this version cannot read one."""
    try:
        return [from_json(Point, point) for point in points]
    except ValueError as error:
        raise _unreadable(run_id) from error


def recorded_values(run_id: str, first_seq: int, lines: Iterable[Recorded]) -> list[dict[str, Any]]:
    """Columns of `run_recordings` for lines that follow one another."""
    bodies = (zlib.compress(to_json(line), level=1) for line in lines)
    return [{"run_id": run_id, "seq": seq, "body": body} for seq, body in enumerate(bodies, first_seq)]


def recording_of(run_id: str, rows: Sequence[tuple[int, bytes]]) -> list[Recorded]:
    """The lines in (seq, body) rows up to the first gap. Raises StoreUnavailable when this version cannot read one."""
    whole = [body for at, (seq, body) in enumerate(rows) if at == seq]
    try:
        return [from_json(Recorded, zlib.decompress(body)) for body in whole]  # type: ignore[arg-type]
    except (ValueError, zlib.error) as error:
        raise _unreadable(run_id) from error


def plain(text: str) -> str:
    """Text without NUL, which PostgreSQL refuses and nobody can read."""
    return text.replace("\x00", "")


def _unreadable(run_id: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"The run {run_id} is stored in a form that this version of Scale cannot read. "
        "Start the version that kept it, or delete the run."
    )
