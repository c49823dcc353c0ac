"""The one owner of every run of this installation, and the only door to them: page, REST, WebSocket and CLI alike.

A run belongs to the installation, not to a browser tab: closing the tab does not stop it.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from scale_app.domain import probability
from scale_app.domain.cluster import NO_CLUSTER, PermissionList, TargetList
from scale_app.domain.compare import Comparison, compare
from scale_app.domain.errors import (
    NoExperiment,
    RunNotActive,
    StoreUnavailable,
    TooManyRuns,
)
from scale_app.domain.events import SnapshotTaken
from scale_app.domain.experiment import Experiment, conclusion, decisive_plan, no_experiment_sentence
from scale_app.domain.outcome import INTERRUPTED
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit, is_demo, is_simulated
from scale_app.domain.record import RunRecord
from scale_app.domain.retention import KEEP_ALL, Retention
from scale_app.domain.run import Run
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import (
    Admitted,
)
from scale_app.service.broadcast import Item
from scale_app.service.keeper import Keeper
from scale_app.service.live_run import LiveRun
from scale_app.service.memory import Memory
from scale_app.service.notices import Notices, Receiver
from scale_app.service.outside import Outside
from scale_app.service.patience import settled_within
from scale_app.service.writer import Sleep

log = logging.getLogger(__name__)
LAST_WRITES_S = 4.0
LAST_MARK_S = 2.0
"""Together with what ends the loads this keeps the end of the process below ten seconds."""
PUT_DOWN_LIMIT_S = 10.0
SET_BACK_S = 3_600.0
"""A wall clock that was set back further was wrong before, and is not to be followed."""
AFTER_S = 0.001


class Hub(Memory):
    """Starts, edits, stops and remembers runs, and tells everybody who subscribed."""

    def __init__(
        self,
        outside: Outside,
        limits: Limits,
        max_runs: int,
        public_url: str = "",
        sleep: Sleep = asyncio.sleep,
        retention: Retention = KEEP_ALL,
    ) -> None:
        """public_url: where people reach this installation, for links in messages; "" for none.

        sleep: lets time pass between tries to store. retention: what of the history is kept.
        """
        super().__init__(outside.store, outside.clock, sleep)
        self._outside = outside
        self._limits = limits
        self._max_runs = max_runs
        self._tasks: set[asyncio.Task[None]] = set()
        self._starting = 0
        self._newest_epoch_s = 0.0
        self.demo = outside.demo
        receivers = tuple(
            Receiver(notifier, outside.clock, number=number) for number, notifier in enumerate(outside.notifiers, 1)
        )
        self._notices = Notices(self, receivers, public_url)
        self._keeper = Keeper(outside.store, outside.clock, retention, self.delete)

    @property
    def limits(self) -> Limits:
        """Caps of one run."""
        return self._limits

    @property
    def max_runs(self) -> int:
        """Runs that may send load at the same time."""
        return self._max_runs

    @property
    def notify_problem(self) -> str:
        """Why alerts do not reach a receiver outside, "" when they do."""
        return self._notices.problem

    async def open(self) -> None:
        """Take over from an earlier process: what it left running was interrupted. Begin to tell receivers."""
        for run_id in await self._outside.store.mark_interrupted(INTERRUPTED):
            log.warning("run %s was interrupted by the end of an earlier server", run_id)
        if self._outside.notifiers:
            self._keep(self._notices.tell())
        self._keep(self._keeper.keep())

    async def close(self) -> None:
        """End every run's load, store what waits and let go of the store. Runs still active become interrupted.

        Bounded in time: what could not be stored is told in the log.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if await self._writer.finish(LAST_WRITES_S):
            await self._mark_interrupted()
        await self._outside.store.close()

    async def _mark_interrupted(self) -> None:
        try:
            async with asyncio.timeout(LAST_MARK_S):
                await self._outside.store.mark_interrupted(INTERRUPTED)
        except (StoreUnavailable, TimeoutError) as error:
            log.error("runs that still sent load are marked as interrupted at the next start: %s", error)

    async def start(self, plan: LoadPlan) -> str:
        """Begin a run; its id. Raises PlanError, TooManyRuns, TargetRefused, TargetUnavailable, StoreUnavailable.

        A database that is away is no reason to refuse it: the run waits to be stored like all that it does, unless so
        many wait that there is no room for one more.
        """
        return await self._start(plan)

    async def _start(self, plan: LoadPlan, experiment_of: str = "") -> str:
        plan.check_limits(self._limits)
        if len(self.active()) + self._starting >= self._max_runs:
            raise TooManyRuns(
                f"{self._max_runs} runs are sending load already, which is the most allowed here. "
                "Stop one, or wait for one to end."
            )
        self._starting += 1
        try:
            return await self._begin(plan, await self._outside.gatekeeper.admit(plan), experiment_of)
        finally:
            self._starting -= 1

    async def planned_experiment(self, run_id: str) -> Experiment:
        """The second run that would decide what this one left open. Raises NoExperiment, RunNotFound."""
        record = await self.run(run_id)
        if not record.plan_known:
            raise NoExperiment(record.unreadable)
        planned = decisive_plan(record, self._limits)
        if planned is None:
            raise NoExperiment(no_experiment_sentence(record))
        return planned

    async def experiment(self, run_id: str) -> str:
        """Begin the run that decides what this one left open; its id. Raises what `start` raises, and NoExperiment."""
        planned = await self.planned_experiment(run_id)
        return await self._start(planned.plan, experiment_of=run_id)

    async def rerun(self, run_id: str) -> str:
        """Begin another run of the same plan; its id. Raises what `start` raises, RunNotFound, StoreUnavailable."""
        record = await self.run(run_id)
        if not record.plan_known:
            raise StoreUnavailable(f"The run was not repeated. {record.unreadable}")
        return await self._start(record.plan)

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        """The second run against the first; with a conclusion when it was planned to decide it. Raises RunNotFound."""
        first, second = await self.run(first_id), await self.run(second_id)
        compared = compare(first, second)
        if second.experiment_of != first.run_id or second.state.active:
            return compared
        return replace(compared, conclusion=conclusion(first, second))

    async def edit(self, run_id: str, edit: PlanEdit) -> RunRecord:
        """Change a running load; the run as it is then. Raises PlanError, RunNotFound, RunNotActive, GeneratorFailed.

        Edits are taken one after the other, each on top of the one before it.
        """
        return await (await self._active_run(run_id)).edit(edit, self._limits)

    async def stop(self, run_id: str) -> None:
        """Stop a running load; requests in flight still count. One that did not stop in time is put down.

        Raises RunNotFound, and RunNotActive when it was asked before and may still stop by itself.
        """
        await (await self._active_run(run_id)).stop()

    async def delete(self, run_id: str) -> None:
        """Forget an ended run, or one that was asked to stop and did not in time: that is put down first.

        Raises RunNotFound, RunStillActive.
        """
        live = self._live.get(run_id)
        if live is not None and live.stuck:
            await live.stop()
            await settled_within(self._clock, PUT_DOWN_LIMIT_S, f"the end of run {run_id}", live.over())
        await super().delete(run_id)

    def active(self) -> list[RunRecord]:
        """Runs that send load, newest first."""
        records = [live.record for live in self._live.values() if live.record.state.active]
        return sorted(records, key=lambda record: -record.created_at_epoch_s)

    async def reachable(self, target_url: str) -> tuple[str, ...]:
        """The networks to which a run of this target could connect, () for one that needs none; sends nothing there.

        Raises PlanError, TargetRefused, TargetUnavailable.
        """
        plan = LoadPlan(target_url=target_url)
        if is_demo(target_url) or is_simulated(target_url):
            return ()
        return (await self._outside.gatekeeper.admit(plan)).networks

    async def targets(self) -> TargetList:
        """What the configured Kubernetes clusters offer; an empty list and a sentence when there is none."""
        catalog = self._outside.catalog
        return await catalog.targets() if catalog else TargetList(problem=NO_CLUSTER)

    async def permissions(self, service: str = "") -> PermissionList:
        """What this account may read in a cluster, row by row. service: as in a plan, "" for the first namespace."""
        catalog = self._outside.catalog
        return await catalog.permissions(service) if catalog else PermissionList(problem=NO_CLUSTER)

    async def admitted(self, plan: LoadPlan) -> Admitted:
        """Where the plan's target may be reached; nothing is sent. Raises TargetRefused, TargetUnavailable."""
        return await self._outside.gatekeeper.admit(plan)

    async def check(self) -> None:
        """Raises StoreUnavailable when runs cannot be stored now, or the history cannot be read."""
        self.storing.check()
        await self._outside.store.check()

    @asynccontextmanager
    async def subscribe(self, run_id: str | None = None) -> AsyncIterator[AsyncIterator[Item]]:
        """Events as they come, the last snapshot first; of every active run, or of one. Raises RunNotFound.

        Following one run ends after its last event; following all never ends.
        """
        records = self.active() if run_id is None else [await self.run(run_id)]
        with self._broadcast.subscribe(run_id, _last_snapshots(records)) as subscription:
            if run_id is not None and not records[0].state.active:
                subscription.close()
            yield subscription.items()

    async def _begin(self, plan: LoadPlan, target: Admitted, experiment_of: str) -> str:
        clock = self._outside.clock
        generator, directory = self._outside.generators[target.source], self._outside.directory(target)
        began_s = self._begins_at_epoch_s()
        run = Run(str(uuid.uuid4()), plan, target.source, began_s - clock.monotonic_s())
        record = RunRecord(run.run_id, plan, target.source, RunState.STARTING, began_s, experiment_of=experiment_of)
        counters = self._outside.counters if target.source is Source.HEADER else {}
        journal = self._writer.open(record)
        live = self._live[run.run_id] = LiveRun(run, record, journal, self._broadcast, clock, counters)
        self._keep(self._see_through(run.run_id, live.drive(generator, directory, target)))
        self._keep(asyncio.to_thread(probability.load))
        return run.run_id

    def _begins_at_epoch_s(self) -> float:
        """The wall clock's time; a moment after the run before when that was set back a little, for lists' order."""
        now_s, before_s = self._clock.epoch_s(), self._newest_epoch_s
        self._newest_epoch_s = before_s + AFTER_S if before_s - SET_BACK_S < now_s < before_s else now_s
        return self._newest_epoch_s

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a part of Scale ended that should have gone on", exc_info=error)

    async def _see_through(self, run_id: str, driving: Coroutine[None, None, None]) -> None:
        try:
            await driving
            await self._writer.until_stored(run_id)
        finally:
            del self._live[run_id]

    async def _active_run(self, run_id: str) -> LiveRun:
        live = self._live.get(run_id)
        if live and live.record.state.active:
            return live
        state = (await self.run(run_id)).state
        if state.active:
            raise RunNotActive(
                f"Run {run_id} is stored as {state}, but nothing of it goes on here, so nothing can be changed or "
                "stopped. Delete it, or start the server again, which marks it as interrupted."
            )
        raise RunNotActive(f"Run {run_id} is {state} already, so nothing can be changed or stopped.")


def _last_snapshots(records: Iterable[RunRecord]) -> list[Item]:
    return [
        (record.run_id, SnapshotTaken(record.last.elapsed_s, record.last))
        for record in records
        if record.last is not None
    ]
