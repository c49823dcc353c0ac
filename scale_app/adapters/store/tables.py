"""The tables, and how a database is brought to them.

Domain objects are kept as the JSON that the codec makes of them, beside what is searched and listed by.

JSON is kept as text, not as the database's own JSON type: it comes back byte for byte, and a text from outside that
holds an escaped NUL is accepted by PostgreSQL too. What is large is compressed by zlib.

`migrate` runs at every start, and does nothing when done. A SQLite file that an older version made keeps every page
that it ever had; it is also made able to become smaller.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Text
from sqlalchemy import inspect as inspected
from sqlalchemy.engine import Connection
from sqlmodel import Field, SQLModel

from scale_app.adapters.store.database import (
    border,
    in_transactions,
    open_engine,
    shown,
)
from scale_app.adapters.store.private_file import close_to_others
from scale_app.adapters.store.shrinking import make_shrinkable
from scale_app.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def _of_run() -> Column[str]:
    return Column(String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


class RunRow(SQLModel, table=True):
    """A run as the list shows it. *_json: codec JSON. Times are wall-clock seconds since 1970.

    target_url, users, duration_s: copies from plan_json. verdict to seen_at_epoch_s: of the last snapshot, as in
    domain.record.Headline; seen_at_epoch_s is its time, and None without one, as the others then are.
    packed: False while its events are as versions before 0005 kept them. lease_number: under which it is stored; see
    ports.RunStore.
    """

    __tablename__ = "runs"

    id: str = Field(sa_column=Column(String(64), primary_key=True))
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(sa_column=Column(String(16), nullable=False))
    state: str = Field(sa_column=Column(String(16), nullable=False))
    created_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False, index=True))
    ended_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    experiment_of: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    target_url: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    verdict: str = Field(default="", sa_column=Column(String(16), nullable=False, server_default=""))
    baseline: str = Field(default="", sa_column=Column(String(80), nullable=False, server_default="", index=True))
    users: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default="0"))
    duration_s: float = Field(default=0.0, sa_column=Column(Float(53), nullable=False, server_default="0"))
    score: float | None = Field(default=None, sa_column=Column(Float(53)))
    grade: str | None = Field(default=None, sa_column=Column(String(8)))
    requests: int | None = Field(default=None, sa_column=Column(BigInteger))
    failures: int | None = Field(default=None, sa_column=Column(BigInteger))
    requests_per_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    p95_ms: float | None = Field(default=None, sa_column=Column(Float(53)))
    pods: int | None = Field(default=None, sa_column=Column(Integer))
    elapsed_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    seen_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    packed: bool = Field(default=True, sa_column=Column(Boolean, nullable=False, server_default="0"))
    started_by: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    lease_number: int = Field(default=0, sa_column=Column(BigInteger, nullable=False, server_default="0"))


class LastRow(SQLModel, table=True):
    """A run's newest snapshot, apart from `runs` so that a list need not read past it. body: codec JSON, compressed."""

    __tablename__ = "run_lasts"

    run_id: str = Field(sa_column=_of_run())
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class EventRow(SQLModel, table=True):
    """One event of a run.

    body_json: the whole event as codec JSON; "" for a snapshot, which is in body, compressed, if it is kept whole.
    point_json: of a snapshot, what the time charts draw. pods: of a snapshot, its pods' PodCounts as compressed JSON.
    """

    __tablename__ = "run_events"

    run_id: str = Field(sa_column=_of_run())
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    elapsed_s: float = Field(sa_column=Column(Float(53), nullable=False))
    kind: str = Field(sa_column=Column(String(16), nullable=False))
    point_json: str | None = Field(default=None, sa_column=Column(Text))
    body_json: str = Field(sa_column=Column(Text, nullable=False))
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    pods: bytes | None = Field(default=None, sa_column=Column(LargeBinary))


class RecordedRow(SQLModel, table=True):
    """One line of a run's recording. body: as adapters.store.recordings makes it."""

    __tablename__ = "run_recordings"

    run_id: str = Field(sa_column=_of_run())
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PlanRow(SQLModel, table=True):
    """A saved plan. plan_json: codec JSON."""

    __tablename__ = "saved_plans"

    name: str = Field(sa_column=Column(String(80), primary_key=True))
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    saved_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False))
    saved_by: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))


class TokenRow(SQLModel, table=True):
    """An access token. digest: SHA-256 of its secret, in hex. The rest as in domain.audit.AccessToken."""

    __tablename__ = "access_tokens"

    id: str = Field(sa_column=Column(String(32), primary_key=True))
    name: str = Field(sa_column=Column(String(80), nullable=False))
    owner: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(String(16), nullable=False))
    digest: str = Field(sa_column=Column(String(64), nullable=False))
    made_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False))
    expires_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    revoked_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    last_used_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))


class SessionRow(SQLModel, table=True):
    """A browser's sign-in. digest: SHA-256 of what its cookie holds, in hex. body_json: who it is."""

    __tablename__ = "sessions"

    digest: str = Field(sa_column=Column(String(64), primary_key=True))
    body_json: str = Field(sa_column=Column(Text, nullable=False))
    expires_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False))


class AuditRow(SQLModel, table=True):
    """An entry of the audit log, never changed. id: orders entries of the same moment. The rest as in AuditEntry."""

    __tablename__ = "audit_log"

    id: str = Field(sa_column=Column(String(40), primary_key=True))
    at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False, index=True))
    who: str = Field(sa_column=Column(Text, nullable=False))
    role: str = Field(sa_column=Column(String(16), nullable=False))
    action: str = Field(sa_column=Column(Text, nullable=False))
    subject: str = Field(sa_column=Column(Text, nullable=False))
    address: str = Field(sa_column=Column(Text, nullable=False))
    allowed: bool = Field(sa_column=Column(Boolean, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))


class LeaseRow(SQLModel, table=True):
    """Who owns something, as in replica_ports.Lease; by the database's clock."""

    __tablename__ = "leases"

    name: str = Field(sa_column=Column(String(80), primary_key=True))
    holder: str = Field(sa_column=Column(String(80), nullable=False))
    number: int = Field(sa_column=Column(BigInteger, nullable=False))
    until_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False))


class InstallationRow(SQLModel, table=True):
    """One row: the id of this installation, which is what uses this database."""

    __tablename__ = "installation"

    only: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    id: str = Field(sa_column=Column(String(32), nullable=False))


TABLES: tuple[type[SQLModel], ...] = (RunRow, LastRow, EventRow, RecordedRow, PlanRow, TokenRow, AuditRow)
"""What a backup holds, in an order in which each row comes after those that it refers to. Without sessions, leases and
the id: who restores a backup signs in again, and what uses the database is another installation."""


async def migrate(database_url: str) -> None:
    """Make or update the tables in one transaction.

    Raises StoreUnavailable when the database cannot be used, or was made by a newer version.
    """
    with border("Preparing the tables", database_url):
        engine = open_engine(database_url)
        try:
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade, database_url)
            if engine.dialect.name == "sqlite":
                await asyncio.to_thread(close_to_others, engine.url.database or "")
                await make_shrinkable(engine)
        finally:
            await engine.dispose()


async def is_current(database_url: str, writes: bool = False) -> bool:
    """Does the database have this version's tables? Nothing is changed.

    writes: ask as one that is going to write. Raises StoreUnavailable, also for the tables of a newer version.
    """
    with border("Looking at the tables", database_url):
        engine = in_transactions(open_engine(database_url), writes=writes)
        try:
            async with engine.connect() as connection:
                versions = await connection.run_sync(_versions)
                _check_known(versions, database_url)
                return versions == [newest_version()]
        finally:
            await engine.dispose()


def newest_version() -> str:
    return max(known_versions())


def known_versions() -> set[str]:
    """Those of this code and of all before it: the number that each migration's file begins with."""
    return {path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py")}


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration without a file; our migrations are part of the package."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _upgrade(connection: Connection, database_url: str) -> None:
    versions = _versions(connection)
    if versions == [newest_version()]:
        return
    _check_known(versions, database_url)
    # Only now: Alembic takes a third of a second and 10 MB, for nothing at nearly every start.
    from alembic import command

    command.upgrade(migration_config(connection), "head")


def _check_known(versions: list[str], database_url: str) -> None:
    if unknown := [version for version in versions if version not in known_versions()]:
        raise StoreUnavailable(
            f"The tables in {shown(database_url)} have version {unknown[0]}, which this version of Scale does not "
            "know; a newer version made them. Start the newer version, or set SCALE_DATABASE_URL to another database."
        )


def _versions(connection: Connection) -> list[str]:
    """Those that Alembic has noted in the database."""
    if not inspected(connection).has_table("alembic_version"):
        return []
    return list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
