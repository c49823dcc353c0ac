"""The hub as a fake, for tests of what is above it: runs stand still until the test lets something happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from scale_app.domain.compare import Comparison, compare
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import (
    NoExperiment,
    PlanError,
    RunNotActive,
    RunNotFound,
    ScaleError,
)
from scale_app.domain.events import Event, SnapshotTaken, StateChanged
from scale_app.domain.experiment import Experiment, decisive_plan, no_experiment_sentence
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.record import RunOutline, RunRecord, Storing, outline_of
from scale_app.domain.samples import PodSeen
from scale_app.domain.snapshot import Point, RunState, Source, point_of


class FakeDemo:
    """A demo that takes every change. `broken`: an error that every further call raises, None for none."""

    def __init__(self) -> None:
        self.now = DemoStatus("http://127.0.0.1:4321/", Policy.RANDOM, Fault.NONE, 3.0, _pods(3), {"pod-0": 7})
        self.broken: ScaleError | None = None

    async def status(self) -> DemoStatus:
        if self.broken:
            raise self.broken
        return self.now

    async def change(self, change: DemoChange) -> DemoStatus:
        if change.kill_pod is not None and change.kill_pod not in {pod.name for pod in (await self.status()).pods}:
            raise PlanError("kill_pod", change.kill_pod, "the name of a pod that runs")
        self.now = replace(
            await self.status(),
            policy=change.policy or self.now.policy,
            fault=change.fault or self.now.fault,
            weight=change.weight or self.now.weight,
            pods=self.now.pods if change.pods is None else _pods(change.pods),
        )
        return self.now


class FakeHub:
    """The hub for what is above it. Runs stand still: a test makes them happen with `publish`.

    Snapshots are not thinned out for slow subscribers, as the real hub does. `broken`: see FakeStore. `storing`: what
    is said to be not stored yet.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.demo = FakeDemo()
        self.broken: ScaleError | None = None
        self.storing = Storing()
        self.started: list[LoadPlan] = []
        self.edits: list[tuple[str, PlanEdit]] = []
        self._limits = limits or Limits()
        self._records: dict[str, RunRecord] = {}
        self._events: dict[str, list[Event]] = {}
        self._queues: set[asyncio.Queue[tuple[str, Event] | None]] = set()

    async def start(self, plan: LoadPlan) -> str:
        await self.check()
        plan.check_limits(self._limits)
        self.started.append(plan)
        run_id = f"run-{len(self._records) + 1}"
        self.add(RunRecord(run_id, plan, Source.DEMO, RunState.RUNNING, 1_700_000_000.0 + len(self._records)))
        return run_id

    async def planned_experiment(self, run_id: str) -> Experiment:
        record = await self.run(run_id)
        planned = decisive_plan(record, self._limits)
        if planned is None:
            raise NoExperiment(no_experiment_sentence(record))
        return planned

    async def experiment(self, run_id: str) -> str:
        new_id = await self.start((await self.planned_experiment(run_id)).plan)
        self._records[new_id] = replace(self._records[new_id], experiment_of=run_id)
        return new_id

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        return compare(await self.run(first_id), await self.run(second_id))

    async def edit(self, run_id: str, edit: PlanEdit) -> RunRecord:
        record = self._active(run_id)
        plan = record.plan.edited(edit)
        plan.check_limits(self._limits)
        self.edits.append((run_id, edit))
        self._records[run_id] = replace(record, plan=plan)
        return self._records[run_id]

    async def stop(self, run_id: str) -> None:
        self.publish(run_id, StateChanged(1.0, RunState.STOPPED))

    async def runs(self, limit: int = 50, offset: int = 0) -> list[RunOutline]:
        await self.check()
        return list(map(outline_of, reversed(self._records.values())))[offset : offset + limit]

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        await self.check()
        return {run_id: self._records[run_id].plan for run_id in run_ids}

    async def run(self, run_id: str) -> RunRecord:
        await self.check()
        if run_id not in self._records:
            raise RunNotFound(run_id)
        return self._records[run_id]

    def own_active(self) -> list[RunRecord]:
        return self.active()

    def active(self) -> list[RunRecord]:
        return [record for record in reversed(self._records.values()) if record.state.active]

    @asynccontextmanager
    async def subscribe(self, run_id: str | None = None) -> AsyncIterator[AsyncIterator[tuple[str, Event]]]:
        first = self.active() if run_id is None else [await self.run(run_id)]
        queue: asyncio.Queue[tuple[str, Event] | None] = asyncio.Queue()
        for record in first:
            if record.last:
                queue.put_nowait((record.run_id, SnapshotTaken(record.last.elapsed_s, record.last)))
        if run_id is not None and not first[0].state.active:
            queue.put_nowait(None)
        self._queues.add(queue)
        try:
            yield self._followed(queue, run_id)
        finally:
            self._queues.remove(queue)

    async def history(self, run_id: str) -> list[Point]:
        return [point_of(event.snapshot) for event in await self.events(run_id) if isinstance(event, SnapshotTaken)]

    async def events(self, run_id: str) -> list[Event]:
        await self.run(run_id)
        return list(self._events[run_id])

    async def delete(self, run_id: str) -> None:
        await self.run(run_id)
        del self._records[run_id], self._events[run_id]

    async def check(self) -> None:
        if self.broken:
            raise self.broken

    def add(self, record: RunRecord) -> None:
        """A run that is already there."""
        self._records[record.run_id] = record
        self._events[record.run_id] = []

    def publish(self, run_id: str, event: Event) -> None:
        """Let something happen in an active run; every subscriber gets it."""
        record = self._active(run_id)
        self._records[run_id] = record.followed(event, 1_700_000_100.0)
        self._events[run_id].append(event)
        for queue in self._queues:
            queue.put_nowait((run_id, event))

    @property
    def subscribers(self) -> int:
        return len(self._queues)

    def _active(self, run_id: str) -> RunRecord:
        if run_id not in self._records:
            raise RunNotFound(run_id)
        record = self._records[run_id]
        if not record.state.active:
            raise RunNotActive(f"The run {run_id} has ended ({record.state}), so it can be neither stopped nor edited.")
        return record

    @staticmethod
    async def _followed(
        queue: asyncio.Queue[tuple[str, Event] | None], run_id: str | None
    ) -> AsyncIterator[tuple[str, Event]]:
        while (item := await queue.get()) is not None:
            if run_id is None or item[0] == run_id:
                yield item
                if run_id is not None and isinstance(item[1], StateChanged) and not item[1].state.active:
                    return


def _pods(count: int) -> tuple[PodSeen, ...]:
    return tuple(PodSeen(f"pod-{i}") for i in range(count))
