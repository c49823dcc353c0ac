"""From one version's tables to the next by Alembic; loaded only where something has to change."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy.engine import Connection

from scale_app.adapters.store.border import shown
from scale_app.domain.errors import StoreUnavailable

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, database_url: str) -> None:
    """To this version's tables. Raises StoreUnavailable when a newer version made those that are there."""
    config = migration_config(connection)
    _check_known(ScriptDirectory.from_config(config), connection, database_url)
    command.upgrade(config, "head")


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration without a file; our migrations are part of the package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _check_known(scripts: ScriptDirectory, connection: Connection, database_url: str) -> None:
    for version in MigrationContext.configure(connection).get_current_heads():
        try:
            scripts.get_revision(version)
        except CommandError as error:
            raise StoreUnavailable(
                f"The tables in {shown(database_url)} are of version {version}, which this version of Scale does not "
                "know; a newer one made them. Start that newer version, or set SCALE_DATABASE_URL to another database."
            ) from error
