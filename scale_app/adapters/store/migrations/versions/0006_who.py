"""Who: tokens, browsers' sessions and the audit log; who started a run and who saved a plan, "" for older ones."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("runs", sa.Column("started_by", sa.Text(), nullable=False, server_default=""))
    op.add_column("saved_plans", sa.Column("saved_by", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "access_tokens",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("made_at_epoch_s", sa.Float(53), nullable=False),
        sa.Column("expires_at_epoch_s", sa.Float(53)),
        sa.Column("revoked_at_epoch_s", sa.Float(53)),
        sa.Column("last_used_at_epoch_s", sa.Float(53)),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body_json", sa.Text(), nullable=False),
        sa.Column("expires_at_epoch_s", sa.Float(53), nullable=False),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.String(40), primary_key=True),
        sa.Column("at_epoch_s", sa.Float(53), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
    )
    op.create_index("ix_audit_log_at_epoch_s", "audit_log", ["at_epoch_s"])
