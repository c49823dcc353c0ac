"""What the legacy routes and /ws/metrics take and say, key for key: as types for readers of the reference, and written.

They are older than /api/v1 and stay as they are: a run is called a test, `duration` is in seconds without saying so, an
error is one sentence under `error`. Why, and why a WebSocket message carries more than the specification's keys:
docs/decisions/0002-wire-shapes.md.
"""

from __future__ import annotations

from copy import copy
from dataclasses import asdict, dataclass, fields, make_dataclass
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field

from scale_app.api.operation import json_name
from scale_app.codec import plan_from_wire, to_wire
from scale_app.domain.compare import Comparison
from scale_app.domain.errors import NOT_GIVEN, PlanError
from scale_app.domain.events import AlertRaised, Event, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunOutline, RunRecord, outline_of
from scale_app.domain.snapshot import PodShare, RunState, Snapshot, Source

REQUIRED = ("target_url", "users", "spawn_rate", "duration")
NESTED = ("pattern", "headers", "gate", "weights")
MAX_PAGE = 500


def _plan_in_their_words() -> type:
    """LoadPlan with `duration` for duration_s, and the specification's four fields needed."""
    hints = get_type_hints(LoadPlan)
    named = [("duration" if each.name == "duration_s" else each.name, each) for each in fields(LoadPlan)]
    needed = [(name, hints[each.name]) for name, each in named if name in REQUIRED]
    further = [(name, hints[each.name], copy(each)) for name, each in named if name not in REQUIRED]
    made = make_dataclass("TestPlan", [*needed, *further], frozen=True, slots=True)
    made.__doc__ = (LoadPlan.__doc__ or "").replace("duration_s:", "duration:")
    return made


TestPlan: Any = _plan_in_their_words()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request was not fulfilled. error: a sentence for people. field: the request's field at fault, if one is."""

    error: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """test_id: of the test that was begun."""

    test_id: str
    status: Literal["started"]


@dataclass(frozen=True, slots=True)
class Edited:
    """test_id: of the test that was changed. plan: the plan from now on."""

    test_id: str
    status: Literal["edited"]
    plan: TestPlan


@dataclass(frozen=True, slots=True)
class Stopping:
    """test_id: of the test that will have ended in a moment."""

    test_id: str
    status: Literal["stopping"]


@dataclass(frozen=True, slots=True)
class ExperimentStarted(Started):
    """reason: why this test would decide the first one."""

    reason: str


@dataclass(frozen=True, slots=True)
class Test:
    """A test in the list. created_at, ended_at: wall-clock seconds since 1970."""

    test_id: str
    status: RunState
    message: str
    source: Source
    plan: TestPlan
    created_at: float
    ended_at: float | None
    total_requests: int
    balance_score: float | None
    grade: str | None
    experiment_of: str | None


@dataclass(frozen=True, slots=True)
class TestInFull(Test):
    """A test by itself. last: its last snapshot."""

    last: Snapshot | None


@dataclass(frozen=True, slots=True)
class TestList:
    """A page of the list of tests, newest first."""

    tests: tuple[Test, ...]
    limit: int
    offset: int


@dataclass(frozen=True, slots=True)
class ComparedTests(Comparison):
    """Two tests side by side. comparable: False when `reasons` says why not."""

    comparable: bool = False


@dataclass(frozen=True, slots=True)
class TestsQuery:
    """limit: the most tests to return, newest first. offset: how many to skip."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Field(ge=0, le=999_999_999)] = 0


@dataclass(frozen=True, slots=True)
class TestPairQuery:
    """ids: two test ids separated by a comma; the second is compared with the first."""

    ids: str


def flat(document: dict[str, object]) -> dict[str, object]:
    """The document as it is. Raises PlanError unless it is flat but for a plan's pattern, headers and gate."""
    for name, value in document.items():
        if isinstance(value, (dict, list)) and name not in NESTED:
            raise PlanError(name, f"a JSON {json_name(value)}", "one number, text, true, false or null is needed")
    return document


def plan_of(document: dict[str, object]) -> LoadPlan:
    """The plan in a start request: the specification's four fields, all needed, and any other of LoadPlan's.

    Raises PlanError in the wire's names: `duration`, where the plan says duration_s.
    """
    for name in REQUIRED:
        if name not in document:
            raise PlanError(name, NOT_GIVEN, "it is needed")
    if "duration_s" in document:
        raise PlanError("duration_s", document["duration_s"], "there is no such field; it is called duration")
    fields = {("duration_s" if name == "duration" else name): value for name, value in document.items()}
    try:
        return plan_from_wire(LoadPlan, fields)
    except PlanError as error:
        raise in_wire_names(error) from None


def in_wire_names(error: PlanError) -> PlanError:
    """The same error with the field called as in the request."""
    return PlanError("duration", error.value, error.accepted) if error.field == "duration_s" else error


def page_of(query: dict[str, str]) -> tuple[int, int]:
    """limit and offset of a list. Raises PlanError."""
    limit, offset = (_count(query, name, default) for name, default in (("limit", 50), ("offset", 0)))
    if not 1 <= limit <= MAX_PAGE:
        raise PlanError("limit", limit, f"a whole number from 1 to {MAX_PAGE}")
    return limit, offset


def plan_wire(plan: LoadPlan) -> dict[str, Any]:
    return {("duration" if name == "duration_s" else name): value for name, value in asdict(plan).items()}


def run_wire(run: RunOutline, plan: LoadPlan | None) -> dict[str, Any]:
    """A run in the list. plan: None for one that cannot be read."""
    said = run.headline
    return {
        "test_id": run.run_id,
        "status": run.state.value,
        "message": run.unreadable or run.message,
        "source": run.source.value,
        "plan": None if plan is None else plan_wire(plan),
        "created_at": run.created_at_epoch_s,
        "ended_at": run.ended_at_epoch_s,
        "total_requests": 0 if said is None else said.requests,
        "balance_score": None if said is None else said.score,
        "grade": None if said is None else said.grade,
        "experiment_of": run.experiment_of or None,
    }


def run_detail_wire(record: RunRecord) -> dict[str, Any]:
    """A run by itself: as in the list, and its last snapshot whole."""
    last = None if record.last is None else to_wire(record.last)
    return {**run_wire(outline_of(record), record.plan), "last": last}


def live_wire(run_id: str, event: Event, source: Source | None) -> dict[str, Any] | None:
    """The WebSocket message for an event; None for one that is not sent."""
    if isinstance(event, SnapshotTaken):
        return metrics_wire(event.snapshot)
    if isinstance(event, AlertRaised) and event.alert.on_balance:
        return {
            "type": "imbalance_alert",
            "test_id": run_id,
            "source": None if source is None else source.value,
            "data": {"balance_score": event.alert.balance_score, "threshold": event.alert.threshold},
        }
    return None


def metrics_wire(snapshot: Snapshot) -> dict[str, Any]:
    """`metrics_update`: `data` has the specification's keys and no other. timestamp: wall clock, seconds."""
    return {
        "type": "metrics_update",
        "test_id": snapshot.run_id,
        "source": snapshot.source.value,
        "data": {
            "metrics": {"pods": to_wire(snapshot.pods, tuple[PodShare, ...]), "total_requests": snapshot.requests},
            "balance_score": snapshot.balance.score,
            "timestamp": snapshot.at_epoch_s,
        },
    }


def _count(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise PlanError(name, text, "a whole number of at least 0")
    return int(text)
