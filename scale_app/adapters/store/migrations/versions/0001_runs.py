"""The first tables: runs and their events."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("plan_json", sa.Text(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at_epoch_s", sa.Float(53), nullable=False),
        sa.Column("ended_at_epoch_s", sa.Float(53)),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("last_json", sa.Text()),
    )
    op.create_index("ix_runs_created_at_epoch_s", "runs", ["created_at_epoch_s"])
    op.create_table(
        "run_events",
        sa.Column("run_id", sa.String(64), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("seq", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("elapsed_s", sa.Float(53), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("point_json", sa.Text()),
        sa.Column("body_json", sa.Text(), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("run_events")
    op.drop_table("runs")
