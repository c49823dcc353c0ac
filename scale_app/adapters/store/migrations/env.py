"""Alembic's entry: runs the migrations on the connection that migrate() hands over, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

from scale_app.adapters.store import tables  # noqa: F401 - registers the tables with SQLModel.metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    transactional_ddl=True,
    # SQLite cannot alter a column; Alembic then copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
