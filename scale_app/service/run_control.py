"""A run from its start to its end: begun within the caps, edited, stopped, seen through until all of it is stored."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine

from scale_app.domain import numerics
from scale_app.domain.errors import RunNotActive, TooManyRuns
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from scale_app.domain.run import Run
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Adapters, Admitted
from scale_app.service.live_run import LiveRun
from scale_app.service.live_runs import LiveRuns
from scale_app.service.run_queries import RunQueries
from scale_app.service.tasks import Background, settled_within

PUT_DOWN_LIMIT_S = 10.0
SET_BACK_S = 3_600.0
"""A wall clock that was set back further was wrong before, and is not to be followed."""
AFTER_S = 0.001


class RunControl:
    """Sends load, and changes and ends what it began."""

    def __init__(
        self, adapters: Adapters, limits: Limits, max_runs: int, live: LiveRuns, stored: RunQueries, tasks: Background
    ) -> None:
        """limits: caps of one run. max_runs: that may send load at the same time. stored: for runs that have ended."""
        self._adapters = adapters
        self._limits = limits
        self._max_runs = max_runs
        self._live = live
        self._stored = stored
        self._tasks = tasks
        self._clock = adapters.clock
        self._starting = 0
        self._newest_epoch_s = 0.0

    async def start(self, plan: LoadPlan, experiment_of: str = "") -> str:
        """Begin a run; its id. Raises PlanError, TooManyRuns, TargetRefused, TargetUnavailable, StoreUnavailable.

        experiment_of: the run that this one is to decide. A database that is away is no reason to refuse it: the run
        waits to be stored like all that it does, unless so many wait that there is no room for one more.
        """
        plan.check_limits(self._limits)
        if len(self._live.active()) + self._starting >= self._max_runs:
            raise TooManyRuns(
                f"{self._max_runs} runs are sending load already, which is the most allowed here. "
                "Stop one, or wait for one to end."
            )
        self._starting += 1
        try:
            return await self._begin(plan, await self._adapters.gatekeeper.admit(plan), experiment_of)
        finally:
            self._starting -= 1

    async def edit(self, run_id: str, edit: PlanEdit) -> RunRecord:
        """Change a running load; the run as it is then. Raises PlanError, RunNotFound, RunNotActive, GeneratorFailed.

        Edits are taken one after the other, each on top of the one before it.
        """
        return await (await self._active_run(run_id)).edit(edit, self._limits)

    async def stop(self, run_id: str) -> None:
        """Stop a running load; requests in flight still count. A load that did not stop in time is killed.

        Raises RunNotFound, and RunNotActive when it was asked before and may still stop by itself.
        """
        await (await self._active_run(run_id)).stop()

    async def delete(self, run_id: str) -> None:
        """Delete an ended run. A run that was asked to stop and did not in time is killed first.

        Raises RunNotFound, RunStillActive.
        """
        live = self._live.get(run_id)
        if live is not None and live.stuck:
            await live.stop()
            await settled_within(self._clock, PUT_DOWN_LIMIT_S, f"the end of run {run_id}", live.over())
        self._live.check_ended(run_id, "delete it")
        await self._live.writer.delete(run_id)

    async def _begin(self, plan: LoadPlan, target: Admitted, experiment_of: str) -> str:
        generator, directory = self._adapters.generators[target.source], self._adapters.directory(target)
        began_s = self._begins_at_epoch_s()
        run = Run(str(uuid.uuid4()), plan, target.source, began_s - self._clock.monotonic_s())
        record = RunRecord(run.run_id, plan, target.source, RunState.STARTING, began_s, experiment_of=experiment_of)
        counters = self._adapters.counters if target.source is Source.HEADER else {}
        journal = self._live.writer.open(record)
        live = LiveRun(run, record, journal, self._live.broadcast, self._clock, counters)
        self._live.add(run.run_id, live)
        self._tasks.begin(self._see_through(run.run_id, live.drive(generator, directory, target)))
        self._tasks.begin(asyncio.to_thread(numerics.load))
        return run.run_id

    def _begins_at_epoch_s(self) -> float:
        """The wall clock's time; a moment after the run before when that was set back a little, for lists' order."""
        now_s, before_s = self._clock.epoch_s(), self._newest_epoch_s
        self._newest_epoch_s = before_s + AFTER_S if before_s - SET_BACK_S < now_s < before_s else now_s
        return self._newest_epoch_s

    async def _see_through(self, run_id: str, driving: Coroutine[None, None, None]) -> None:
        try:
            await driving
            await self._live.writer.until_stored(run_id)
        finally:
            self._live.remove(run_id)

    async def _active_run(self, run_id: str) -> LiveRun:
        live = self._live.get(run_id)
        if live and live.record.state.active:
            return live
        state = (await self._stored.run(run_id)).state
        if state.active:
            raise RunNotActive(
                f"Run {run_id} is stored as {state}, but nothing of it goes on here, so nothing can be changed or "
                "stopped. Delete it, or start the server again, which marks it as interrupted."
            )
        raise RunNotActive(f"Run {run_id} is {state} already, so nothing can be changed or stopped.")
