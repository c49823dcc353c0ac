"""The tables. Domain objects are kept as the JSON that the codec makes of them, beside what is searched by.

JSON is kept as text, not as the database's own JSON type: it comes back byte for byte, and a text from outside that
holds an escaped NUL is accepted by PostgreSQL too.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, String, Text
from sqlmodel import Field, SQLModel


class RunRow(SQLModel, table=True):
    """A run as the list shows it. *_json: codec JSON. Times are wall-clock seconds since 1970.

    target_url, verdict: copies from plan_json and last_json, to search by.
    """

    __tablename__ = "runs"

    id: str = Field(sa_column=Column(String(64), primary_key=True))
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    source: str = Field(sa_column=Column(String(16), nullable=False))
    state: str = Field(sa_column=Column(String(16), nullable=False))
    created_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False, index=True))
    ended_at_epoch_s: float | None = Field(default=None, sa_column=Column(Float(53)))
    message: str = Field(default="", sa_column=Column(Text, nullable=False))
    last_json: str | None = Field(default=None, sa_column=Column(Text))
    experiment_of: str = Field(default="", sa_column=Column(String(64), nullable=False, server_default=""))
    target_url: str = Field(default="", sa_column=Column(Text, nullable=False, server_default=""))
    verdict: str = Field(default="", sa_column=Column(String(16), nullable=False, server_default=""))
    baseline: str = Field(default="", sa_column=Column(String(80), nullable=False, server_default="", index=True))


class EventRow(SQLModel, table=True):
    """One event of a run; body_json holds the whole event, the other columns what is searched by.

    point_json: of a snapshot, what the time charts draw; an hour of it is read in a moment, an hour of snapshots not.
    """

    __tablename__ = "run_events"

    run_id: str = Field(sa_column=Column(String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True))
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    elapsed_s: float = Field(sa_column=Column(Float(53), nullable=False))
    kind: str = Field(sa_column=Column(String(16), nullable=False))
    point_json: str | None = Field(default=None, sa_column=Column(Text))
    body_json: str = Field(sa_column=Column(Text, nullable=False))


class RecordedRow(SQLModel, table=True):
    """One line of a run's recording. body: codec JSON, compressed by zlib; counters say much the same each second."""

    __tablename__ = "run_recordings"

    run_id: str = Field(sa_column=Column(String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True))
    seq: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class PlanRow(SQLModel, table=True):
    """A saved plan. plan_json: codec JSON."""

    __tablename__ = "saved_plans"

    name: str = Field(sa_column=Column(String(80), primary_key=True))
    plan_json: str = Field(sa_column=Column(Text, nullable=False))
    saved_at_epoch_s: float = Field(sa_column=Column(Float(53), nullable=False))
