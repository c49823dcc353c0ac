"""What /api/v1 and the command line say beside the domain's own types: lists, parts of a run, parameters.

Field names are the wire's.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Annotated, Literal

from pydantic import Field

from scale_app.domain.balance import Balance
from scale_app.domain.errors import PlanError
from scale_app.domain.events import Numbered
from scale_app.domain.plan import Limits
from scale_app.domain.record import RunFilter, RunOutline, RunRecord, SavedPlan, Storing
from scale_app.domain.snapshot import PodShare, Point, RunState, Source
from scale_app.domain.verdict import Verdict, VerdictKind

NOTHING_SAID = {"requests": 0, "score": None, "grade": None, "verdict": None}
"""Of a run without a snapshot."""


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a list. Times are wall-clock seconds since 1970.

    requests, score, grade, verdict, failures, requests_per_s, p95_ms, pods, elapsed_s: of the last snapshot; None, or
    0 for a count, if there is none or too little to judge.
    started_by: name of whoever started it, "" where nobody noted it.
    not_stored: why a part of it is not stored yet, "" if all is, or will be in a moment. unreadable: what of the
    stored run cannot be read, "" when nothing is known to be.
    """

    run_id: str
    target_url: str
    source: Source
    state: RunState
    message: str
    created_at_epoch_s: float
    ended_at_epoch_s: float | None
    users: int
    duration_s: float
    requests: int
    score: float | None
    grade: str | None
    verdict: VerdictKind | None
    experiment_of: str
    baseline: str
    started_by: str = ""
    not_stored: str = ""
    unreadable: str = ""
    failures: int = 0
    requests_per_s: float | None = None
    p95_ms: float | None = None
    pods: int | None = None
    elapsed_s: float | None = None


def summary_of(run: RunOutline) -> RunSummary:
    """The run as a list shows it."""
    own = {field.name: getattr(run, field.name) for field in fields(RunOutline) if field.name != "headline"}
    said = NOTHING_SAID if run.headline is None else asdict(run.headline)
    return RunSummary(**own, **said)


Window = Literal["run", "10s", "60s"]


@dataclass(frozen=True, slots=True)
class RunsQuery(RunFilter):
    """limit: the most runs to return, newest first. offset: how many to skip.

    state, source: of the run. verdict: of its last snapshot. target: a part of the target's URL, in upper or lower
    case. baseline: the run's name as a baseline. marked: only runs that are a baseline. experiment_of: the run that it
    was planned to decide. id_begins: how the run's id begins, as the command line shortens it.
    """

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


@dataclass(frozen=True, slots=True)
class BalanceQuery:
    """window: the whole run (without its warm-up), or the last 10 or 60 seconds of it."""

    window: Window = "run"


@dataclass(frozen=True, slots=True)
class EventsQuery:
    """after: only events with a higher number. limit: the most events to return, oldest first."""

    after: Annotated[int, Field(ge=-1, le=10**9)] = -1
    limit: Annotated[int, Field(ge=1, le=1_000)] = 500


@dataclass(frozen=True, slots=True)
class PairQuery:
    """ids: two run ids separated by a comma; the second is compared with the first."""

    ids: str


@dataclass(frozen=True, slots=True)
class SourcesQuery:
    """service: a Kubernetes Service as in a plan, namespace/name; left out, the first configured namespace is asked."""

    service: str = ""


@dataclass(frozen=True, slots=True)
class BaselineName:
    """name: of the baseline; later runs are compared with it."""

    name: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of the list of runs, newest first. total: runs that match the filter, on all pages."""

    runs: tuple[RunSummary, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class WindowBalance:
    """How even one window of a run was.

    seq, elapsed_s: of the snapshot that says it; None when there is none yet, as are balance and verdict.
    """

    run_id: str
    state: RunState
    source: Source
    window: Window
    seq: int | None = None
    elapsed_s: float | None = None
    balance: Balance | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class PodTable:
    """Every pod of a run's last snapshot. seq, elapsed_s: of that snapshot, None when there is none yet."""

    run_id: str
    state: RunState
    source: Source
    pods: tuple[PodShare, ...]
    seq: int | None = None
    elapsed_s: float | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """The events of a run, without snapshots. newest: the highest number in this answer, -1 for none; continue after
    it."""

    run_id: str
    events: tuple[Numbered, ...]
    newest: int


@dataclass(frozen=True, slots=True)
class History:
    """A point for each second of a run: what its time charts draw."""

    run_id: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class SavedPlans:
    """Every saved plan, by name."""

    plans: tuple[SavedPlan, ...]


@dataclass(frozen=True, slots=True)
class Installation:
    """What this installation allows and its state.

    version: the installed one. limits: of one run. max_runs: runs that may send load at the same time.
    active_runs: the ids of the active ones.
    notify_problem: why alerts cannot be delivered, "" if they can or if there is no receiver.
    storing: data that is not stored yet, also of earlier runs.
    """

    limits: Limits
    max_runs: int
    active_runs: tuple[str, ...]
    notify_problem: str
    storing: Storing = Storing()
    version: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """status: "ok" or "ready"."""

    status: str


def window_of(record: RunRecord, window: Window) -> WindowBalance:
    """One window of the run's last snapshot."""
    found = WindowBalance(record.run_id, record.state, record.source, window)
    last = record.last
    if last is None:
        return found
    balance, verdict = {
        "run": (last.balance, last.verdict),
        "10s": (last.recent_balance, last.recent_verdict),
        "60s": (last.minute_balance, last.minute_verdict),
    }[window]
    return replace(found, seq=last.seq, elapsed_s=last.elapsed_s, balance=balance, verdict=verdict)


def pods_of(record: RunRecord) -> PodTable:
    """The pods of the run's last snapshot."""
    table = PodTable(record.run_id, record.state, record.source, ())
    last = record.last
    return table if last is None else replace(table, pods=last.pods, seq=last.seq, elapsed_s=last.elapsed_s)


def pair_of(ids: str | None, what: str = "runs") -> tuple[str, str]:
    """The two of "first,second". Raises PlanError."""
    parts = [part.strip() for part in (ids or "").split(",")]
    if len(parts) != 2 or not all(parts):
        raise PlanError("ids", ids, f"the ids of two {what}, separated by a comma, as in ?ids=before,after")
    return parts[0], parts[1]
