"""What lists show in columns of their own; the last snapshot apart and compressed; room for smaller events.

Events of older runs stay as they are here, readable, and are made small in the background: see adapters/store/upkeep.
"""

import json
import zlib
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

FIGURES = ("score", "grade", "requests", "failures", "requests_per_s", "p95_ms", "pods", "elapsed_s", "seen_at_epoch_s")
COLUMNS: tuple[sa.Column[Any], ...] = (
    sa.Column("users", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("duration_s", sa.Float(53), nullable=False, server_default="0"),
    sa.Column("score", sa.Float(53)),
    sa.Column("grade", sa.String(8)),
    sa.Column("requests", sa.BigInteger()),
    sa.Column("failures", sa.BigInteger()),
    sa.Column("requests_per_s", sa.Float(53)),
    sa.Column("p95_ms", sa.Float(53)),
    sa.Column("pods", sa.Integer()),
    sa.Column("elapsed_s", sa.Float(53)),
    sa.Column("seen_at_epoch_s", sa.Float(53)),
    sa.Column("packed", sa.Boolean(), nullable=False, server_default="0"),
)


def upgrade() -> None:
    for column in COLUMNS:
        op.add_column("runs", column)
    op.add_column("run_events", sa.Column("body", sa.LargeBinary()))
    op.add_column("run_events", sa.Column("pods", sa.LargeBinary()))
    op.create_table(
        "run_lasts",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
    )
    _fill(op.get_bind())
    op.drop_column("runs", "last_json")


def _fill(connection: sa.Connection) -> None:
    """One run at a time: a last snapshot of many pods is large."""
    names = ("id", "plan_json", "last_json", "users", "duration_s", *FIGURES)
    runs = sa.table("runs", *(sa.column(name) for name in names))
    lasts = sa.table("run_lasts", sa.column("run_id"), sa.column("body", sa.LargeBinary()))
    for run_id in connection.scalars(sa.select(runs.c.id)).all():
        one = runs.c.id == run_id
        plan, last = connection.execute(sa.select(runs.c.plan_json, runs.c.last_json).where(one)).one()
        connection.execute(sa.update(runs).where(one).values(_of_plan(plan) | _of_last(last)))
        if last is not None:
            connection.execute(sa.insert(lasts).values(run_id=run_id, body=zlib.compress(last.encode())))


def _of_plan(plan: str) -> dict[str, Any]:
    # A field that an older version did not write has its default.
    fields = _read(plan)
    return {"users": _number(fields.get("users")) or 100, "duration_s": _number(fields.get("duration_s")) or 60.0}


def _of_last(last: str | None) -> dict[str, Any]:
    shot = _read(last or "")
    if not shot:
        return {}
    balance = found if isinstance(found := shot.get("balance"), dict) else {}
    grade = balance.get("grade")
    return {
        **{name: _number(shot.get(name)) for name in ("requests", "failures", "requests_per_s", "p95_ms", "elapsed_s")},
        **{name: _number(balance.get(name)) for name in ("score", "pods")},
        "grade": grade[:8] if isinstance(grade, str) else None,
        "seen_at_epoch_s": _number(shot.get("at_epoch_s")),
    }


def _number(value: object) -> int | float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _read(text: str) -> dict[str, Any]:
    """One damaged run keeps nobody from using the others."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
