"""The tables. Domain objects are kept as the JSON that the codec makes of them, beside what is searched and listed by.

JSON is kept as text, not as the database's own JSON type: it comes back byte for byte, and a text from outside that
holds an escaped NUL is accepted by PostgreSQL too. What is large is compressed by zlib.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, LargeBinary, String, Text
from sqlmodel import Field, SQLModel


def _of_run() -> Column[str]:
    return Column(String(64), ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True)


class RunRow(SQLModel, table=True):
    """A run as the list shows it. *_json: codec JSON. Times are wall-clock seconds since 1970.

    target_url, users, duration_s: copies from plan_json. verdict to seen_at_epoch_s: of the last snapshot, as in
    domain.record.Headline; seen_at_epoch_s is its time, and None without one, as the others then are.
    packed: False while its events are as versions before 0005 kept them.
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
