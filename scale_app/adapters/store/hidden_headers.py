"""Hides in stored plans the values of headers that count as secret since: for migrations, each with its own rule."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

HIDDEN = "(hidden)"
WITH_HEADERS = '%"headers":{"%'
IsSecret = Callable[[str], bool]


def hide_headers(connection: sa.Connection, is_secret: IsSecret) -> None:
    """In runs, with their edits and recordings, and in saved plans. is_secret: of a header's name."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")  # what is written over must not stay in free pages
    for run_id in _clear_plans(connection, is_secret, "runs", "id"):
        _clear_events(connection, is_secret, run_id)
        _clear_recording(connection, is_secret, run_id)
    _clear_plans(connection, is_secret, "saved_plans", "name")


def _clear_plans(connection: sa.Connection, is_secret: IsSecret, table: str, key: str) -> list[str]:
    """The keys of those that held a secret."""
    plans = sa.table(table, sa.column(key), sa.column("plan_json"))
    held = plans.c.plan_json.like(WITH_HEADERS)
    found = []
    for name in connection.scalars(sa.select(plans.c[key]).where(held)).all():
        one = plans.c[key] == name
        document = _read(connection.scalar(sa.select(plans.c.plan_json).where(one)))
        if _clear(document, is_secret):
            connection.execute(sa.update(plans).where(one).values(plan_json=_text(document)))
            found.append(name)
    return found


def _clear_events(connection: sa.Connection, is_secret: IsSecret, run_id: str) -> None:
    """Each edit of a run holds its plan."""
    events = sa.table("run_events", *map(sa.column, ("run_id", "seq", "kind", "body_json", "body")))
    of_run = sa.and_(events.c.run_id == run_id, events.c.kind == "plan")
    for seq, text, body in connection.execute(
        sa.select(events.c.seq, events.c.body_json, events.c.body).where(of_run)
    ).all():
        document = _read(text if body is None else _unpacked(body))
        if _clear(document.get("plan"), is_secret):
            new = {"body_json": _text(document)} if body is None else {"body": zlib.compress(_text(document).encode())}
            connection.execute(sa.update(events).where(of_run, events.c.seq == seq).values(**new))


def _clear_recording(connection: sa.Connection, is_secret: IsSecret, run_id: str) -> None:
    """Its first line holds the plan."""
    lines = sa.table("run_recordings", *map(sa.column, ("run_id", "seq", "body")))
    first = sa.select(sa.func.min(lines.c.seq)).where(lines.c.run_id == run_id).scalar_subquery()
    one = sa.and_(lines.c.run_id == run_id, lines.c.seq == first)
    body = connection.scalar(sa.select(lines.c.body).where(one))
    document = _read(_unpacked(body))
    if _clear(document.get("plan"), is_secret):
        seq = connection.scalar(sa.select(lines.c.seq).where(one))
        line = sa.and_(lines.c.run_id == run_id, lines.c.seq == seq)
        connection.execute(sa.update(lines).where(line).values(body=zlib.compress(_text(document).encode())))


def _clear(plan: Any, is_secret: IsSecret) -> bool:
    """Hide what is secret in the plan's headers; was there any?"""
    headers = plan.get("headers") if isinstance(plan, dict) else None
    if not isinstance(headers, dict):
        return False
    held = [name for name, value in headers.items() if is_secret(name) and "${env:" not in str(value) and value != ""]
    headers.update(dict.fromkeys(held, HIDDEN))
    return bool(held)


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def _unpacked(body: Any) -> str:
    try:
        return zlib.decompress(body).decode()
    except (zlib.error, TypeError, ValueError):
        return ""


def _read(text: Any) -> dict[str, Any]:
    """One damaged run keeps nobody from using the others."""
    try:
        found = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
