"""Baselines by name, saved plans, and what the list of runs is searched by."""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("runs", sa.Column("target_url", sa.Text(), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("verdict", sa.String(16), nullable=False, server_default=""))
    op.add_column("runs", sa.Column("baseline", sa.String(80), nullable=False, server_default=""))
    op.create_index("ix_runs_baseline", "runs", ["baseline"])
    op.create_table(
        "saved_plans",
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("plan_json", sa.Text(), nullable=False),
        sa.Column("saved_at_epoch_s", sa.Float(53), nullable=False),
    )
    _fill(op.get_bind())


def downgrade() -> None:
    op.drop_table("saved_plans")
    op.drop_index("ix_runs_baseline", "runs")
    with op.batch_alter_table("runs") as runs:
        for column in ("baseline", "verdict", "target_url"):
            runs.drop_column(column)


def _fill(connection: sa.Connection) -> None:
    """One run at a time: a last snapshot of many pods is large."""
    runs = sa.table("runs", *(sa.column(name) for name in ("id", "plan_json", "last_json", "target_url", "verdict")))
    for run_id in connection.scalars(sa.select(runs.c.id)).all():
        one = runs.c.id == run_id
        plan, last = connection.execute(sa.select(runs.c.plan_json, runs.c.last_json).where(one)).one()
        values = {"target_url": _text(_read(plan).get("target_url", "demo")), "verdict": _verdict(last)}
        connection.execute(sa.update(runs).where(one).values(values))


def _verdict(last: str | None) -> str:
    verdict = _read(last or "{}").get("verdict")
    return _text(verdict.get("kind"))[:16] if isinstance(verdict, dict) else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _read(text: str) -> dict[str, Any]:
    """One damaged run keeps nobody from using the others."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
