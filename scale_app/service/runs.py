"""What this installation offers about runs: the one contract of the hub with those who use it.

The API takes all of it. A command takes RunAccess, which a server that is asked over its API offers as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager

    from scale_app.domain.cluster import PermissionList, TargetList
    from scale_app.domain.compare import Comparison
    from scale_app.domain.events import Event, Numbered
    from scale_app.domain.experiment import Experiment
    from scale_app.domain.gating import GateResult
    from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
    from scale_app.domain.pod_history import PodHistory, PodSpans
    from scale_app.domain.record import RunFilter, RunOutline, RunRecord, SavedPlan
    from scale_app.domain.recording import Recorded, WholeRun
    from scale_app.domain.snapshot import Point
    from scale_app.domain.storing import Storing
    from scale_app.ports import Demo
    from scale_app.service.broadcast import Followed


class RunAccess(Protocol):
    """What can be asked of an installation, wherever it runs. Every method may raise StoreUnavailable."""

    async def start(self, plan: LoadPlan) -> str:
        """The new run's id. Raises PlanError, TargetRefused, TargetUnavailable, TooManyRuns, GeneratorFailed."""

    async def stop(self, run_id: str) -> None:
        """Raises RunNotFound, RunNotActive."""

    async def run(self, run_id: str) -> RunRecord:
        """Raises RunNotFound."""

    async def whole(self, run_id: str, recording: bool = False, pods: bool = False) -> WholeRun:
        """Everything that is known of a run. Raises RunNotFound."""

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        """Raises RunNotFound."""

    async def mark_baseline(self, run_id: str, name: str) -> None:
        """Name an ended run; "" takes its name away. Raises PlanError, RunNotFound, RunStillActive."""

    async def targets(self) -> TargetList:
        """What the configured clusters offer; raises nothing."""

    async def permissions(self, service: str = "") -> PermissionList:
        """What may be read in a cluster; raises nothing."""


class Runs(RunAccess, Protocol):
    """All that the hub of this process offers. Every method may raise StoreUnavailable."""

    @property
    def demo(self) -> Demo:
        """Control of the built-in target."""

    @property
    def limits(self) -> Limits:
        """Caps of one run."""

    @property
    def max_runs(self) -> int:
        """Runs that may send load at the same time."""

    @property
    def notify_problem(self) -> str:
        """Why alerts do not reach somebody, "" when they do."""

    @property
    def storing(self) -> Storing:
        """What is not stored yet, and why."""

    async def planned_experiment(self, run_id: str) -> Experiment:
        """Raises NoExperiment, RunNotFound."""

    async def experiment(self, run_id: str) -> str:
        """The new run's id. Raises what `start` raises, NoExperiment and RunNotFound."""

    async def rerun(self, run_id: str) -> str:
        """The new run's id. Raises what `start` raises, and RunNotFound."""

    async def edit(self, run_id: str, edit: PlanEdit) -> RunRecord:
        """The run with its new plan. Raises PlanError, RunNotFound, RunNotActive, GeneratorFailed."""

    async def runs(self, limit: int = 50, offset: int = 0, wanted: RunFilter = ...) -> list[RunOutline]:
        """Newest first."""

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        """The plans of those of these runs that there are."""

    async def count(self, wanted: RunFilter = ...) -> int:
        """How many runs are wanted."""

    async def history(self, run_id: str) -> list[Point]:
        """A point for each second so far."""

    async def pod_history(self, run_id: str) -> PodHistory:
        """Each pod's part of the traffic over time, so far."""

    async def happenings(self, run_id: str) -> list[Numbered]:
        """Every event but snapshots, with its number, in order."""

    def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        """What the run is judged by, a few lines at a time."""

    async def pod_spans(self, run_id: str) -> PodSpans:
        """`pod_history` in plain numbers."""

    async def gate(self, run_id: str) -> GateResult:
        """The run against the thresholds of its plan. Raises RunNotFound."""

    async def delete(self, run_id: str) -> None:
        """Raises RunNotFound, RunStillActive."""

    async def baseline(self, name: str) -> RunRecord:
        """Raises BaselineNotFound."""

    async def plans(self) -> list[SavedPlan]:
        """By name."""

    async def plan(self, name: str) -> SavedPlan:
        """Raises PlanNotFound."""

    async def save_plan(self, name: str, plan: LoadPlan) -> SavedPlan:
        """Raises PlanError."""

    async def delete_plan(self, name: str) -> None:
        """Raises PlanNotFound."""

    def active(self) -> list[RunRecord]:
        """Newest first."""

    def subscribe(self, run_id: str | None = None) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Event]]]:
        """(run id, event) as they happen, of all runs or of one; the last snapshots first. Raises RunNotFound."""

    def follow(self, run_id: str, after: int | None = None) -> AbstractAsyncContextManager[Followed]:
        """One run by number. Raises RunNotFound, PlanError."""

    async def check(self) -> None:
        """Raises StoreUnavailable when runs could not be kept now."""
