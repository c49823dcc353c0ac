"""What an installation remembers: runs as a whole and as lists show them, and plans under a name.

Runs never wait for the database: how far storing is behind them, and how much of them is kept for how long.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scale_app.domain.errors import PlanError, StoreUnavailable
from scale_app.domain.events import Event, GeneratorNoticed, PlanEdited, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Snapshot, Source
from scale_app.domain.verdict import VerdictKind

INTERRUPTED = (
    "The server stopped while this run was sending load, or before its end was stored. The seconds shown were "
    "stored before."
)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run as the list of runs shows it. Times are wall clock; last is the newest snapshot.

    experiment_of: the run that this one was planned to decide, "" for none.
    baseline: its name as a baseline, "" for none; one run has a name at a time.
    not_stored: why a part of it is not stored yet, "" if all is, or will be in a moment.
    unreadable: what of the stored run cannot be read, "" when all can; of its seconds, events and recording it is known
    once they were looked at. It is left out, None, or stood in for: an unknown state is shown as interrupted.
    plan_known: False when of the plan only target, users and duration can be read.
    started_by: name of the principal who started it, "" where nobody noted it.
    """

    run_id: str
    plan: LoadPlan
    source: Source
    state: RunState
    created_at_epoch_s: float
    ended_at_epoch_s: float | None = None
    message: str = ""
    last: Snapshot | None = None
    experiment_of: str = ""
    baseline: str = ""
    not_stored: str = ""
    unreadable: str = ""
    plan_known: bool = True
    started_by: str = ""

    @property
    def told(self) -> str:
        """What people must know of it, "" for nothing: what cannot be read, and the message."""
        return " ".join(part for part in (self.unreadable, self.message) if part)

    def followed(self, event: Event, at_epoch_s: float) -> RunRecord:
        """The record after an event that happened at this wall-clock time."""
        match event:
            case SnapshotTaken(snapshot=snapshot):
                return replace(self, last=snapshot, source=snapshot.source)
            case PlanEdited(plan=plan):
                return replace(self, plan=plan)
            case StateChanged(state=state, message=message):
                ended = None if state.active else at_epoch_s
                return replace(self, state=state, message=message or self.message, ended_at_epoch_s=ended)
            case GeneratorNoticed(message=message):
                return replace(self, message=message)
            case _:
                return self


@dataclass(frozen=True, slots=True)
class Headline:
    """The figures of a run's last snapshot that lists show; each as in Snapshot. pods: eligible ones."""

    verdict: VerdictKind
    score: float | None
    grade: str | None
    requests: int
    failures: int
    requests_per_s: float
    p95_ms: float | None
    pods: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class RunOutline:
    """A run in a list; the fields of RunRecord, its plan's that lists show, and the headline of its last snapshot.

    headline: None when there was no snapshot yet.
    """

    run_id: str
    target_url: str
    users: int
    duration_s: float
    source: Source
    state: RunState
    created_at_epoch_s: float
    ended_at_epoch_s: float | None = None
    message: str = ""
    experiment_of: str = ""
    baseline: str = ""
    started_by: str = ""
    headline: Headline | None = None
    not_stored: str = ""
    unreadable: str = ""


def outline_of(record: RunRecord) -> RunOutline:
    plan = record.plan
    return RunOutline(
        record.run_id,
        plan.target_url,
        plan.users,
        plan.duration_s,
        record.source,
        record.state,
        record.created_at_epoch_s,
        record.ended_at_epoch_s,
        record.message,
        record.experiment_of,
        record.baseline,
        record.started_by,
        None if record.last is None else headline_of(record.last),
        record.not_stored,
        record.unreadable,
    )


def headline_of(snapshot: Snapshot) -> Headline:
    return Headline(
        snapshot.verdict.kind,
        snapshot.balance.score,
        snapshot.balance.grade,
        snapshot.requests,
        snapshot.failures,
        snapshot.requests_per_s,
        snapshot.p95_ms,
        snapshot.balance.pods,
        snapshot.elapsed_s,
    )


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Runs that fit every part that is given; None and "" leave a part out.

    target: text in the target's URL, upper and lower case (of ASCII letters) alike. verdict: of the last snapshot.
    baseline: the name that the run is marked with. experiment_of: the run that it was planned to decide.
    marked: True for only those that are marked as a baseline. id_begins: how the run's id begins.
    """

    state: RunState | None = None
    source: Source | None = None
    verdict: VerdictKind | None = None
    target: str = ""
    baseline: str = ""
    experiment_of: str = ""
    marked: bool = False
    id_begins: str = ""

    def fits(self, run: RunOutline) -> bool:
        verdict = run.headline.verdict if run.headline else None
        pairs = ((self.state, run.state), (self.source, run.source), (self.verdict, verdict))
        return (
            all(wanted is None or wanted is found for wanted, found in pairs)
            and self.target.lower() in run.target_url.lower()
            and self.baseline in ("", run.baseline)
            and self.experiment_of in ("", run.experiment_of)
            and (bool(run.baseline) or not self.marked)
            and run.run_id.startswith(self.id_begins)
        )


ALL_RUNS = RunFilter()


LONGEST_NAME = 80


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """name: unique in this installation. saved_at_epoch_s: wall-clock time when it was last saved.

    unreadable: why the stored plan cannot be read, then plan is the default; "" if it can. saved_by: the principal's
    name, "" where nobody noted it.
    Raises PlanError for a name that cannot be used.
    """

    name: str
    plan: LoadPlan
    saved_at_epoch_s: float
    unreadable: str = ""
    saved_by: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)


def check_name(name: object) -> None:
    """Raise PlanError unless a plan or a baseline may be called so: it is shown, and it is a part of a path."""
    usable = isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME and name == name.strip() and name.isprintable()
    if not usable or "/" in str(name) or name in (".", ".."):
        raise PlanError("name", name, f"1 to {LONGEST_NAME} printable characters, no slash, no spaces at either end")


@dataclass(frozen=True, slots=True)
class Storing:
    """What is not stored yet, of all runs of this process.

    problem: one sentence, "" while storing keeps up; the figures may then be out of date at once. waiting_runs,
    waiting_lines: what waits in memory, and waiting_bytes of it what is packed. given_up_lines: lines of these runs
    that were dropped because there was no space.
    """

    problem: str = ""
    waiting_runs: int = 0
    waiting_lines: int = 0
    waiting_bytes: int = 0
    given_up_lines: int = 0

    def check(self) -> None:
        """Raises StoreUnavailable with the problem, when there is one."""
        if self.problem:
            raise StoreUnavailable(self.problem)


DAY_S = 86_400.0
MEGABYTE = 1_000_000


@dataclass(frozen=True, slots=True)
class Retention:
    """What is beyond any of these is deleted, the oldest runs first; 0 is no limit.

    Baselines and runs that go on always stay, and of the others the newest.
    days: since a run ended. runs: in the list, baselines counted. size_mb: megabytes of the whole history.
    """

    days: float = 90.0
    runs: int = 1_000
    size_mb: float = 700.0

    def too_old(self, run: RunOutline, now_epoch_s: float) -> bool:
        """True for a run that ended longer ago than the days."""
        ended_s = run.created_at_epoch_s if run.ended_at_epoch_s is None else run.ended_at_epoch_s
        return self.days > 0 and now_epoch_s - ended_s > self.days * DAY_S

    def too_many(self, runs: int) -> int:
        """How many of this many runs are beyond the limit."""
        return max(0, runs - self.runs) if self.runs else 0

    def too_large(self, size_bytes: int) -> bool:
        """True for a history that takes more room than it may."""
        return self.size_mb > 0 and size_bytes > self.size_mb * MEGABYTE


KEEP_ALL = Retention(0, 0, 0)
