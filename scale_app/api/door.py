"""What the API asks of the hub, and nothing more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scale_app.domain.compare import Comparison
from scale_app.domain.events import Event
from scale_app.domain.experiment import Experiment
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.run import RunRecord
from scale_app.ports import Demo


class Door(Protocol):
    """The hub as the API sees it. Every method may raise StoreUnavailable."""

    @property
    def demo(self) -> Demo:
        """Control of the built-in target."""

    async def start(self, plan: LoadPlan) -> str:
        """The new run's id. Raises PlanError, TargetRefused, TargetUnavailable, TooManyRuns, GeneratorFailed."""

    async def planned_experiment(self, run_id: str) -> Experiment:
        """Raises NoExperiment, RunNotFound."""

    async def experiment(self, run_id: str) -> str:
        """The new run's id. Raises what `start` raises, NoExperiment and RunNotFound."""

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        """Raises RunNotFound."""

    async def edit(self, run_id: str, edit: PlanEdit) -> None:
        """Raises PlanError, RunNotFound, RunNotActive."""

    async def stop(self, run_id: str) -> None:
        """Raises RunNotFound, RunNotActive."""

    async def runs(self, limit: int = 50, offset: int = 0) -> list[RunRecord]:
        """Newest first."""

    async def run(self, run_id: str) -> RunRecord:
        """Raises RunNotFound."""

    def active(self) -> list[RunRecord]:
        """Newest first."""

    def subscribe(self, run_id: str | None = None) -> AbstractAsyncContextManager[AsyncIterator[tuple[str, Event]]]:
        """(run id, event) as they happen, of all runs or of one; the last snapshots first. Raises RunNotFound."""

    async def check(self) -> None:
        """Raises StoreUnavailable when runs could not be kept now."""
