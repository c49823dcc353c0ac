"""The one owner of every run of this installation. Page, REST, WebSocket and command line reach them through it alone.

A run belongs to the installation, not to a browser tab: closing the tab does not stop it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

from scale_app.domain.cluster import NO_CLUSTER, PermissionList, TargetList
from scale_app.domain.compare import Comparison, compare
from scale_app.domain.errors import NoExperiment, StoreUnavailable
from scale_app.domain.experiment import Experiment, conclusion, decisive_plan, no_experiment_sentence
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.record import INTERRUPTED, KEEP_ALL, Retention, Storing
from scale_app.domain.target import is_demo, is_simulated
from scale_app.ports import Adapters
from scale_app.service.access import Access
from scale_app.service.elsewhere import Elsewhere
from scale_app.service.keeper import Keeper
from scale_app.service.notices import Notices, Receiver
from scale_app.service.ownership import Ownership
from scale_app.service.run_control import LiveRuns, RunControl
from scale_app.service.run_queries import RunQueries
from scale_app.service.tasks import Background, Sleep

log = logging.getLogger(__name__)
LAST_WRITES_S = 4.0
LAST_MARK_S = 2.0
"""Together with what ends the loads this keeps the end of the process below ten seconds."""
TYPED_WITHIN_S = 10.0
"""Whoever types a target asks again and again; the Services of a cluster need not be listed each time."""


class Hub(RunQueries):
    """All that may be asked of runs: to read them as RunQueries says, to send load as RunControl says, and this."""

    def __init__(
        self,
        adapters: Adapters,
        access: Access,
        limits: Limits,
        max_runs: int,
        public_url: str = "",
        sleep: Sleep = asyncio.sleep,
        retention: Retention = KEEP_ALL,
    ) -> None:
        """access: tokens and the audit log. public_url: where people reach this installation, for links in messages;
        "" for none.

        sleep: lets time pass between tries to store. retention: what of the history is kept.
        """
        self._adapters = adapters
        super().__init__(adapters.store, LiveRuns(adapters.store, adapters.clock, sleep), adapters.clock)
        self._tasks = Background()
        self.demo, self.limits, self.max_runs = adapters.demo, limits, max_runs
        own, bus = adapters, adapters.bus
        self._elsewhere = Elsewhere(bus, own.store, self._live, own.clock) if bus else None
        self.own_active = self._live.own_active
        self.active, self.until_stored = self._live.active, self._live.until_stored
        self.admitted = adapters.gatekeeper.admit
        self._ownership = Ownership(adapters.leases, adapters.store, adapters.clock, adapters.bus)
        control = RunControl(adapters, limits, max_runs, self._live, self._tasks, self._ownership)
        self.start, self.edit, self.stop, self.delete = control.start, control.edit, control.stop, control.delete
        receivers = tuple(
            Receiver(notifier, adapters.clock, number=number) for number, notifier in enumerate(adapters.notifiers, 1)
        )
        self.drain, self._check_going_on = control.drain, control.check_going_on
        self._notices = Notices(self, receivers, public_url, mine=self._is_mine)
        self._access = access
        self.tokens, self.make_token, self.revoke_token = access.tokens, access.make_token, access.revoke_token
        self.audit_entries, self.count_audit_entries = access.audit_entries, access.count_audit_entries
        self._keeper = Keeper(adapters.store, adapters.clock, retention, self.delete)

    @property
    def notify_problem(self) -> str:
        """Why alerts do not reach a receiver outside, "" when they do."""
        return self._notices.problem

    @property
    def storing(self) -> Storing:
        """What is not stored yet, and why."""
        return self._live.writer.storing

    async def open(self) -> None:
        """Take over from an earlier process: what it left running was interrupted. Begin to tell receivers.

        Where other servers share the store, what nobody runs is looked for all the time.
        """
        if self._adapters.alone:
            for run_id in await self._adapters.store.mark_interrupted(INTERRUPTED):
                log.warning("run %s was interrupted by the end of an earlier server", run_id)
        if self._elsewhere:
            self._tasks.begin(self._ownership.look_after_others(self._elsewhere.look))
        self._tasks.begin(self._ownership.keep())
        if self._adapters.notifiers:
            self._tasks.begin(self._notices.tell())
        self._tasks.begin(self._keeper.keep())
        self._tasks.begin(self._access.keep())

    async def close(self) -> None:
        """End every run's load, store what waits and let go of the store. Runs still active become interrupted.

        Bounded in time: what could not be stored is told in the log.
        """
        await self._tasks.end()
        if self._elsewhere:
            await self._elsewhere.close()
        await asyncio.gather(self._last_writes(), self._access.close())
        await self._adapters.store.close()

    def _is_mine(self, run_id: str) -> bool:
        return self._elsewhere is None or not self._elsewhere.knows(run_id)

    async def _last_writes(self) -> None:
        if await self._live.writer.finish(LAST_WRITES_S):
            await self._mark_interrupted()

    async def _mark_interrupted(self) -> None:
        try:
            async with asyncio.timeout(LAST_MARK_S):
                await self._adapters.store.mark_interrupted(INTERRUPTED, self._ownership.ids)
        except (StoreUnavailable, TimeoutError) as error:
            log.error("runs that still sent load are marked as interrupted at the next start: %s", error)

    async def planned_experiment(self, run_id: str) -> Experiment:
        """The second run that would decide what this one left open. Raises NoExperiment, RunNotFound."""
        record = await self.run(run_id)
        if not record.plan_known:
            raise NoExperiment(record.unreadable)
        planned = decisive_plan(record, self.limits)
        if planned is None:
            raise NoExperiment(no_experiment_sentence(record))
        return planned

    async def experiment(self, run_id: str) -> str:
        """Begin the run that decides what this one left open; its id. Raises what `start` raises, and NoExperiment."""
        planned = await self.planned_experiment(run_id)
        return await self.start(planned.plan, experiment_of=run_id)

    async def rerun(self, run_id: str) -> str:
        """Begin another run of the same plan; its id. Raises what `start` raises, RunNotFound, StoreUnavailable."""
        record = await self.run(run_id)
        if not record.plan_known:
            raise StoreUnavailable(f"The run was not repeated. {record.unreadable}")
        return await self.start(record.plan)

    async def compare(self, first_id: str, second_id: str) -> Comparison:
        """The second run against the first; with a conclusion when it was planned to decide it. Raises RunNotFound."""
        first, second = await self.run(first_id), await self.run(second_id)
        compared = compare(first, second)
        if second.experiment_of != first.run_id or second.state.active:
            return compared
        return replace(compared, conclusion=conclusion(first, second))

    async def reachable(self, target_url: str) -> tuple[str, ...]:
        """The networks to which a run of this target could connect, () for one that needs none; sends nothing there.

        Raises PlanError, TargetRefused, TargetUnavailable.
        """
        plan = LoadPlan(target_url=target_url)
        if is_demo(target_url) or is_simulated(target_url):
            return ()
        return (await self.admitted(plan, TYPED_WITHIN_S)).networks

    async def targets(self) -> TargetList:
        """What the configured Kubernetes clusters offer; an empty list and a sentence when there is none."""
        catalog = self._adapters.catalog
        return await catalog.targets() if catalog else TargetList(problem=NO_CLUSTER)

    async def permissions(self, service: str = "") -> PermissionList:
        """What this account may read in a cluster, row by row. service: as in a plan, "" for the first namespace."""
        catalog = self._adapters.catalog
        return await catalog.permissions(service) if catalog else PermissionList(problem=NO_CLUSTER)

    async def check(self) -> None:
        """Raises StoreUnavailable when runs cannot be stored now, or the history cannot be read, and ServerEnding."""
        self._check_going_on()
        self.storing.check()
        await self._adapters.store.check()
