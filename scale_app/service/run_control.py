"""A run from its start to its end: begun within the caps, edited, stopped, seen through until all of it is stored.

Until then it is found among the live runs, which reading, control and notices share.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import replace

from scale_app.domain import numerics
from scale_app.domain.errors import RunNotActive, RunStillActive, ServerEnding, TooManyRuns
from scale_app.domain.identity import caller_name
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.record import RunFilter, RunOutline, RunRecord, outline_of
from scale_app.domain.run import Run
from scale_app.domain.snapshot import RunState, Source
from scale_app.ports import Adapters, Admitted, Clock, RunStore
from scale_app.service.broadcast import Broadcast
from scale_app.service.live_run import LiveRun
from scale_app.service.ownership import LOOK_EVERY_S, Owned, Ownership
from scale_app.service.run_elsewhere import RunElsewhere
from scale_app.service.tasks import Background, Sleep, settled_within
from scale_app.service.telling import Telling
from scale_app.service.writer import Writer

PUT_DOWN_LIMIT_S = 10.0
SET_BACK_S = 3_600.0
"""A wall clock that was set back further was wrong before, and is not to be followed."""
AFTER_S = 0.001


class LiveRuns:
    """Every run from its start until all of it is stored, by id. A run is read from here until then; those of other
    servers too.

    broadcast: tells every viewer what happens in them. writer: stores it behind them.
    """

    def __init__(self, store: RunStore, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        """sleep: lets time pass between tries to store."""
        self.broadcast = Broadcast()
        self.writer = Writer(store, clock, sleep)
        self._store = store
        self._runs: dict[str, LiveRun | RunElsewhere] = {}

    def add(self, run_id: str, live: LiveRun | RunElsewhere) -> None:
        self._runs[run_id] = live

    def remove(self, run_id: str) -> None:
        """Its history is read from the store from now on."""
        self._runs.pop(run_id).stored.set()

    async def until_stored(self, run_id: str) -> None:
        """Return once a run has ended and all of it is stored; at once for a run that is not live."""
        if live := self._runs.get(run_id):
            await live.stored.wait()

    def get(self, run_id: str) -> LiveRun | RunElsewhere | None:
        return self._runs.get(run_id)

    async def run(self, run_id: str) -> RunRecord:
        """One run as it is now, live or stored. Raises RunNotFound, StoreUnavailable."""
        live = self._runs.get(run_id)
        return self.record_of(live) if live else await self._store.run(run_id)

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._runs)

    def active(self) -> list[RunRecord]:
        """Runs that send load, newest first."""
        records = [live.record for live in self._runs.values() if live.record.state.active]
        return sorted(records, key=lambda record: -record.created_at_epoch_s)

    def own_active(self) -> list[RunRecord]:
        """Those that this server itself runs."""
        return [run for run in self.active() if isinstance(self._runs[run.run_id], LiveRun)]

    def outlines(self, wanted: RunFilter) -> list[RunOutline]:
        """Those that are wanted, in no order."""
        return [run for run in map(outline_of, map(self.record_of, self._runs.values())) if wanted.fits(run)]

    def record_of(self, live: LiveRun | RunElsewhere) -> RunRecord:
        """The run as it is now, with what of it is not stored yet."""
        record = live.record
        return replace(record, not_stored=self.writer.problem_of(record.run_id))

    def check_ended(self, run_id: str, then: str) -> None:
        """Raises RunStillActive. then: what is to be done once it has ended."""
        live = self._runs.get(run_id)
        if live and live.record.state.active:
            raise RunStillActive(f"Run {run_id} still sends load. Stop it, then {then}.")


class RunControl:
    """Sends load, and changes and ends what it began."""

    def __init__(
        self,
        adapters: Adapters,
        limits: Limits,
        max_runs: int,
        live: LiveRuns,
        tasks: Background,
        ownership: Ownership,
    ) -> None:
        """limits: caps of one run. max_runs: that may send load at the same time."""
        self._adapters = adapters
        self._limits = limits
        self._max_runs = max_runs
        self._live = live
        self._tasks = tasks
        self._ownership = ownership
        self._clock = adapters.clock
        bus = adapters.bus
        self._telling = Telling(bus, live.broadcast, adapters.clock, limits) if bus else None
        self._starting = 0
        self._ending = False
        self._newest_epoch_s = 0.0

    async def start(self, plan: LoadPlan, experiment_of: str = "") -> str:
        """Begin a run; its id. Raises PlanError, TooManyRuns, TargetRefused, TargetUnavailable, StoreUnavailable,
        ServerEnding, and BusUnavailable where several servers share what cannot be reached now.

        experiment_of: the run that this one is to decide. A database that is away is no reason to refuse it: the run
        waits to be stored like all that it does, unless too many wait already.
        """
        plan.check_limits(self._limits)
        self.check_going_on()
        if len(self._live.active()) + self._starting >= self._max_runs:
            raise TooManyRuns(
                f"{self._max_runs} runs are sending load already, the most allowed here. "
                "Stop one, or wait until one ends."
            )
        self._starting += 1
        try:
            return await self._begin(plan, await self._adapters.gatekeeper.admit(plan), experiment_of)
        finally:
            self._starting -= 1

    def check_going_on(self) -> None:
        """Raises ServerEnding once the server drains."""
        if self._ending:
            raise ServerEnding

    async def drain(self) -> None:
        """Begin no more runs; return when this server's own have ended and are stored."""
        self._ending = True
        while self._starting or self._ownership.ids:
            await self._clock.sleep(LOOK_EVERY_S)

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
            await settled_within(self._clock, PUT_DOWN_LIMIT_S, f"the end of run {run_id}", live.over.wait())
        self._live.check_ended(run_id, "delete it")
        if not self._adapters.alone and live is None and (await self._adapters.store.run(run_id)).state.active:
            raise RunStillActive(f"Run {run_id} still sends load from another server. Stop it there, then delete it.")
        await self._live.writer.delete(run_id)

    async def _begin(self, plan: LoadPlan, target: Admitted, experiment_of: str) -> str:
        generator, directory = self._adapters.generators[target.source], self._adapters.directory(target)
        began_s = self._begins_at_epoch_s()
        run = Run(str(uuid.uuid4()), plan, target.source, began_s - self._clock.monotonic_s())
        record = RunRecord(
            run.run_id, plan, target.source, RunState.STARTING, began_s,
            experiment_of=experiment_of, started_by=caller_name(),
        )  # fmt: skip
        counters = self._adapters.counters if target.source is Source.HEADER else {}
        lease = await self._ownership.claim(run.run_id)
        journal = self._live.writer.open(record, lease.number)
        live = LiveRun(run, record, journal, self._live.broadcast, self._clock, counters)
        self._live.add(run.run_id, live)
        self._ownership.add(run.run_id, Owned(lease, live, journal))
        if self._telling:
            self._tasks.begin(self._telling.tell(run.run_id, lease, live))
            self._tasks.begin(self._telling.obey(lease, live))
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
            await self._ownership.let_go(run_id)
        finally:
            self._live.remove(run_id)

    async def _active_run(self, run_id: str) -> LiveRun | RunElsewhere:
        live = self._live.get(run_id)
        if live and live.record.state.active:
            return live
        state = (await self._live.run(run_id)).state
        if state.active and not self._adapters.alone:
            raise RunNotActive(f"Run {run_id} is run by another server, which cannot be asked now. Try again.")
        if state.active:
            raise RunNotActive(
                f"Run {run_id} is stored as {state}, but it is not running here, so it cannot be changed or "
                "stopped. Delete it, or restart the server, which marks it as interrupted."
            )
        raise RunNotActive(f"Run {run_id} is already {state}, so it cannot be changed or stopped.")
