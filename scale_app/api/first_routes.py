"""The first routes as the OpenAPI document describes them; `routes.py` serves them, in the specification's own words.

Their shapes are older than /api/v1 and stay as they are: a run is called a test, `duration` is in seconds without
saying so, an error is one sentence under `error`. See docs/decisions/0002-wire-shapes.md.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields, make_dataclass
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field

from scale_app.api.messages import MAX_PAGE, REQUIRED
from scale_app.api.operation import Asked, Operation
from scale_app.domain.compare import Comparison
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.errors import (
    GeneratorFailed,
    NoExperiment,
    RunNotActive,
    RunNotFound,
    TargetRefused,
    TargetUnavailable,
    TooManyRuns,
)
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.snapshot import RunState, Snapshot, Source

TESTS = "/api/load-test"
STARTS = (TargetRefused, TooManyRuns, TargetUnavailable, GeneratorFailed)
EXAMPLE = {"target_url": "simulated", "users": 4, "spawn_rate": 4, "duration": 1}


def _plan_in_their_words() -> type:
    """LoadPlan with `duration` for duration_s, and the specification's four fields needed."""
    hints = get_type_hints(LoadPlan)
    named = [("duration" if each.name == "duration_s" else each.name, each) for each in fields(LoadPlan)]
    needed = [(name, hints[each.name]) for name, each in named if name in REQUIRED]
    further: list[tuple[str, Any, Any]] = [
        (name, hints[each.name], field(default_factory=each.default_factory))
        if each.default_factory is not MISSING
        else (name, hints[each.name], field(default=each.default))
        for name, each in named
        if name not in REQUIRED
    ]
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
    """test_id: of the test that was changed. plan: as it is from now on."""

    test_id: str
    status: Literal["edited"]
    plan: TestPlan


@dataclass(frozen=True, slots=True)
class Stopping:
    """test_id: of the test that will have ended in a moment."""

    test_id: str
    status: Literal["stopping"]


@dataclass(frozen=True, slots=True)
class ExperimentStarted:
    """reason: why this test would decide what the first one left open."""

    test_id: str
    status: Literal["started"]
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
    """limit, offset: which page of the list."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE)] = 50
    offset: Annotated[int, Field(ge=0, le=999_999_999)] = 0


@dataclass(frozen=True, slots=True)
class TestPairQuery:
    """ids: two tests with a comma between; the second is held against the first."""

    ids: str


def first_operations() -> list[Operation]:
    """What the routes under /api/load-test, /api/compare and /api/demo take, give and refuse."""
    return [*_tests(), *_others()]


def _tests() -> list[Operation]:
    one, over = f"{TESTS}/{{test_id}}", (RunNotFound, RunNotActive)
    return [
        _first(
            "POST", f"{TESTS}/start", "startTest", "Start a load test", Started, TestPlan, errors=STARTS,
            example=EXAMPLE,
        ),
        _first("GET", TESTS, "listTests", "List tests, newest first", TestList, query=TestsQuery),
        _first("GET", one, "getTest", "One test with its last snapshot", TestInFull, errors=(RunNotFound,)),
        _first(
            "PATCH", one, "editTest", "Change the load while it runs", Edited, PlanEdit, example={"users": 8},
            errors=(*over, GeneratorFailed),
        ),
        _first("POST", f"{one}/stop", "stopTest", "Stop a test", Stopping, errors=over),
        _first(
            "POST", f"{one}/experiment", "startTestExperiment", "Start the test that decides what this one left open",
            ExperimentStarted, errors=(RunNotFound, NoExperiment, *STARTS),
        ),
    ]  # fmt: skip


def _others() -> list[Operation]:
    return [
        _first(
            "GET", "/api/compare", "compareTests", "Hold one test against another", ComparedTests, query=TestPairQuery,
            errors=(RunNotFound,),
        ),
        _first("GET", "/api/demo", "getDemoFirst", "The built-in target", DemoStatus, errors=(TargetUnavailable,)),
        _first(
            "PATCH", "/api/demo", "changeDemoFirst", "Change the built-in target", DemoStatus, DemoChange,
            errors=(TargetUnavailable,), example={"policy": "weighted", "weight": 3},
        ),
    ]  # fmt: skip


def _first(method: str, path: str, name: str, summary: str, gives: Any, takes: Any = None, **more: Any) -> Operation:
    return Operation(
        method, path, name, "The first routes", summary, _served_elsewhere, gives, takes=takes, refusal=Refusal, **more
    )


async def _served_elsewhere(_asked: Asked) -> object:
    raise AssertionError("these operations describe; routes.py serves")
