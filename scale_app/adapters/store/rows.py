"""Domain objects to rows and back. Everything inside a row's JSON goes through the codec."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from functools import partial
from typing import Any, get_args

from sqlalchemy import Row

from scale_app.adapters.store.damage import COLUMNS, NEVER_NONE, Damage, Damages, StoredColumn, count
from scale_app.adapters.store.tables import PlanRow, RunRow
from scale_app.codec import from_json, to_json
from scale_app.domain.events import Event, GeneratorNoticed, Numbered, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodCounts, counts_of
from scale_app.domain.record import Headline, RunOutline, RunRecord, SavedPlan, check_name, headline_of
from scale_app.domain.snapshot import Snapshot, point_of

KINDS: dict[str, Any] = {kind.__dataclass_fields__["kind"].default: kind for kind in get_args(Event)}
_NO_COLUMNS = ("headline", "not_stored", "unreadable")
_OUTLINED = tuple(field.name for field in fields(RunOutline) if field.name not in _NO_COLUMNS)
_RECORDED = tuple(name for name in _OUTLINED if name in RunRecord.__dataclass_fields__ and name != "run_id")
_NAMES = (*_OUTLINED, "seen_at_epoch_s", *(field.name for field in fields(Headline)))
_COLUMNS = tuple(COLUMNS[name] for name in _NAMES)
LISTED = tuple(getattr(RunRow, {"run_id": "id"}.get(name, name)) for name in _NAMES)
"""The columns that a list reads, in the order of an outline's fields and then of a headline's."""


def run_values(record: RunRecord) -> dict[str, Any]:
    """Columns of `runs` for a record."""
    return {
        "id": record.run_id,
        "source": record.source.value,
        "state": record.state.value,
        "created_at_epoch_s": record.created_at_epoch_s,
        "ended_at_epoch_s": record.ended_at_epoch_s,
        "message": plain(record.message),
        "experiment_of": record.experiment_of,
        "baseline": record.baseline,
        "started_by": plain(record.started_by),
        "packed": True,
        **_of_plan(record.plan),
        **({} if record.last is None else _of_snapshot(record.last)),
    }


def _of_plan(plan: LoadPlan) -> dict[str, Any]:
    copies = {"target_url": plan.target_url, "users": plan.users, "duration_s": plan.duration_s}
    return {"plan_json": to_json(plan).decode(), **copies}


def _of_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    headline = headline_of(snapshot)
    figures = {field.name: getattr(headline, field.name) for field in fields(Headline)}
    return {**figures, "verdict": headline.verdict.value, "seen_at_epoch_s": snapshot.at_epoch_s}


def newest_snapshot(events: Sequence[Event]) -> Snapshot | None:
    return next((event.snapshot for event in reversed(events) if isinstance(event, SnapshotTaken)), None)


def last_values(run_id: str, snapshot: Snapshot | None) -> dict[str, Any]:
    """Columns of `run_lasts`, empty without a snapshot. Written every second, hence packed quickly rather than well."""
    return {} if snapshot is None else {"run_id": run_id, "body": zlib.compress(to_json(snapshot), level=1)}


def event_values(run_id: str, first_seq: int, events: Sequence[Event], whole: Sequence[bool]) -> list[dict[str, Any]]:
    """Columns of `run_events` for events that follow one another. whole: of each, whether all of it is kept."""
    return [
        {"run_id": run_id, "seq": seq, "elapsed_s": event.elapsed_s, "kind": event.kind, **event_columns(event, kept)}
        for seq, (event, kept) in enumerate(zip(events, whole, strict=True), first_seq)
    ]


def event_columns(event: Event, whole: bool) -> dict[str, Any]:
    """Columns of `run_events` for the event itself. whole: see event_values."""
    if not isinstance(event, SnapshotTaken):
        return {"point_json": None, "body_json": to_json(event).decode(), "body": None, "pods": None}
    return {
        "point_json": to_json(point_of(event.snapshot)).decode(),
        "body_json": "",
        "body": packed(event) if whole else None,
        "pods": packed(counts_of(event.snapshot)),
    }


def summary_values(events: Iterable[Event], now_epoch_s: float) -> dict[str, Any]:
    """What the events change in their run's row; empty when nothing."""
    changed: dict[str, Any] = {}
    for event in events:
        if isinstance(event, SnapshotTaken):
            changed |= _of_snapshot(event.snapshot)
            changed["source"] = event.snapshot.source.value
        elif isinstance(event, PlanEdited):
            changed |= _of_plan(event.plan)
        elif isinstance(event, StateChanged):
            changed["state"] = event.state.value
            changed["ended_at_epoch_s"] = None if event.state.active else now_epoch_s
        if isinstance(event, (GeneratorNoticed, StateChanged)) and event.message:
            changed["message"] = plain(event.message)
    return changed


def outline_of_row(row: Row[Any], damages: Damages) -> RunOutline:
    """The run in a row of LISTED. What of it cannot be read, as far as that is known, is said in `unreadable`."""
    # By place: a page of the list is read in a third of the time that it takes by name.
    columns = _COLUMNS[: len(_OUTLINED)] if row[len(_OUTLINED)] is None else _COLUMNS
    # What the list does not read of a run may be damaged too; it is known once somebody looked at it.
    damage = damages.of(f"run {row[0]}")
    if not damage.sentence:
        try:
            return _outline([column.read(kept) for column, kept in zip(columns, row, strict=False)])
        except ValueError:
            pass
    outline = _outline([_value(damage, column, kept) for column, kept in zip(columns, row, strict=False)])
    return replace(outline, unreadable=damage.sentence)


def _outline(told: Sequence[Any]) -> RunOutline:
    """told: the values of an outline's fields and, when there was a snapshot, of LISTED's other columns."""
    known, figures = told[: len(_OUTLINED)], told[len(_OUTLINED) + 1 :]
    whole = figures and all(figures[place] is not None for place in NEVER_NONE)
    return RunOutline(*[*known, Headline(*figures) if whole else None])


def _value(damage: Damage, column: StoredColumn, kept: Any) -> Any:
    return damage.read(column.said, partial(column.read, kept), column.otherwise)


def record_of(row: RunRow, last: bytes | None, damage: Damage) -> RunRecord:
    """The record in a row. last: body of its newest snapshot. What cannot be read is said in `unreadable`."""
    plan = damage.read("plan", lambda: from_json(LoadPlan, row.plan_json), None)
    shot = damage.read("last snapshot", lambda: None if last is None else from_json(Snapshot, unpacked(last)), None)
    known = {name: _value(damage, COLUMNS[name], getattr(row, name)) for name in _RECORDED}
    listed = plan or _plan_as_listed(row)
    return RunRecord(row.id, listed, **known, last=shot, unreadable=damage.sentence, plan_known=plan is not None)


def _plan_as_listed(row: RunRow) -> LoadPlan:
    """What is known of a plan that cannot be read."""
    try:
        return LoadPlan(row.target_url, users=row.users, duration_s=row.duration_s)
    except ValueError:
        return LoadPlan()


def plan_values(saved: SavedPlan) -> dict[str, Any]:
    """Columns of `saved_plans`."""
    return {
        "name": saved.name,
        "plan_json": to_json(saved.plan).decode(),
        "saved_at_epoch_s": saved.saved_at_epoch_s,
        "saved_by": plain(saved.saved_by),
    }


def saved_plan_of(damages: Damages, row: PlanRow) -> SavedPlan:
    """The plan in a row. One that cannot be read is the default plan, and `unreadable` says so.

    Raises ValueError for a name that no plan can have.
    """
    check_name(row.name)
    damage = damages.of(f"saved plan {row.name!r}")
    plan = damage.read("text", lambda: from_json(LoadPlan, row.plan_json), LoadPlan())
    saved_at_epoch_s = _value(damage, COLUMNS["created_at_epoch_s"], row.saved_at_epoch_s)
    return SavedPlan(
        row.name, plan, saved_at_epoch_s, damage.sentence, _value(damage, COLUMNS["started_by"], row.saved_by)
    )


def event_of(row: tuple[int, str, str, bytes | None]) -> Numbered:
    """The event in a row of seq, kind, body_json and body. Raises ValueError, KeyError."""
    seq, kind, text, body = row
    return Numbered(count(seq), from_json(KINDS[kind], text if body is None else unpacked(body)))


def pod_counts_of(row: tuple[bytes | None, str]) -> PodCounts:
    """The pods' counts in a snapshot's row of pods and body_json. Raises ValueError."""
    pods, text = row
    return counts_of(from_json(SnapshotTaken, text).snapshot) if pods is None else from_json(PodCounts, unpacked(pods))


def packed(value: object) -> bytes:
    """Codec JSON, compressed."""
    return zlib.compress(to_json(value), level=6)


def unpacked(body: bytes) -> bytes:
    """The JSON in it. Raises ValueError."""
    try:
        return zlib.decompress(body)
    except (zlib.error, TypeError) as error:
        raise ValueError(str(error)) from error


def plain(text: str) -> str:
    """Text without NUL, which PostgreSQL refuses and nobody can read."""
    return text.replace("\x00", "")
