"""Reading: runs that go on or have ended, their parts and events, baselines, saved plans.

A run is read from memory until all of it is stored, and from the store afterwards; callers see no difference.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager

from scale_app.domain.errors import BaselineNotFound, PlanNotFound, StoreUnavailable
from scale_app.domain.events import Event, Numbered, SnapshotTaken
from scale_app.domain.gating import GateResult, gated
from scale_app.domain.identity import caller_name
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import MOST_COLUMNS, PodHistory, PodSpans
from scale_app.domain.record import ALL_RUNS, RunFilter, RunOutline, RunRecord, SavedPlan, check_name
from scale_app.domain.recording import Recorded, WholeRun
from scale_app.domain.snapshot import Point
from scale_app.ports import Clock, RunStore
from scale_app.service.backlog import follow_on
from scale_app.service.broadcast import Followed, Item, following, missed, newest_of
from scale_app.service.run_control import LiveRuns

STORED_SPANS = 2 * MOST_COLUMNS
"""How many moments of an ended run's pods are read: one for each column of their picture."""


class RunQueries:
    """Reads and marks runs, and starts nothing. Every method may raise StoreUnavailable.

    run: see LiveRuns. size_bytes, plans, delete_plan: see the port RunStore.
    """

    def __init__(self, store: RunStore, live: LiveRuns, clock: Clock) -> None:
        self._store = store
        self._live = live
        self._clock = clock
        self.run = live.run
        self.size_bytes, self.plans, self.delete_plan = store.size_bytes, store.plans, store.delete_plan

    async def runs(self, limit: int = 50, offset: int = 0, wanted: RunFilter = ALL_RUNS) -> list[RunOutline]:
        """The runs that are wanted, newest first. Raises StoreUnavailable."""
        here = self._live.outlines(wanted)
        # Any of those in memory may stand before the page, so that it begins earlier in the store, or within it.
        skipped = max(0, offset - len(here))
        stored = await self._store.runs(limit + len(here), skipped, wanted, without=self._live.ids)
        merged = sorted([*here, *stored], key=lambda run: (run.created_at_epoch_s, run.run_id), reverse=True)
        return merged[offset - skipped :][:limit]

    def in_memory(self, wanted: RunFilter = ALL_RUNS) -> list[RunOutline]:
        """Those that are wanted and not stored to their end yet, newest first. Asks nobody."""
        return sorted(self._live.outlines(wanted), key=lambda run: (run.created_at_epoch_s, run.run_id), reverse=True)

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        """The plans of those of these runs that there are, as they are now."""
        here = {run_id: live.record.plan for run_id in run_ids if (live := self._live.get(run_id))}
        return here | await self._store.plans_of([run_id for run_id in run_ids if run_id not in here])

    async def count(self, wanted: RunFilter = ALL_RUNS) -> int:
        """How many runs are wanted. Raises StoreUnavailable."""
        here = self._live.outlines(wanted)
        return len(here) + await self._store.count(wanted, without=self._live.ids)

    async def history(self, run_id: str) -> list[Point]:
        """A point for each second so far."""
        live = self._live.get(run_id)
        return list(live.points) if live else await self._store.points(run_id)

    async def pod_history(self, run_id: str) -> PodHistory:
        """Each pod's part of the traffic over time; that of a run that goes on grows with it."""
        live = self._live.get(run_id)
        if live:
            return live.pods
        return await asyncio.to_thread(PodHistory, await self._store.pod_counts(run_id, STORED_SPANS))

    async def pod_spans(self, run_id: str) -> PodSpans:
        """The same in plain numbers."""
        times = (await self.pod_history(run_id)).times()
        return await asyncio.to_thread(times.plain)

    async def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        """What the run is judged by, a few lines at a time: those that are stored, then those that are not yet."""
        # Looked at first: a line that is stored in the meantime is in both then, and in none the other way round.
        waiting = self._live.writer.recording_of(run_id)
        stored = 0
        if not (waiting and waiting[0].seq == 0):
            async with aclosing(self._store.recorded(run_id)) as reading:
                async for lines in reading:
                    stored += len(lines)
                    yield lines
        if rest := await asyncio.to_thread(follow_on, waiting, stored):
            yield rest

    async def events(self, run_id: str) -> list[Event]:
        """Everything that happened, snapshots apart, in order."""
        return [numbered.event for numbered in await self.happenings(run_id)]

    async def happenings(self, run_id: str) -> list[Numbered]:
        """The same, each event with its number."""
        live = self._live.get(run_id)
        return list(live.happenings) if live else await self._store.happenings(run_id)

    async def whole(self, run_id: str, recording: bool = False, pods: bool = False) -> WholeRun:
        """Everything that is known of a run, for reports.

        recording: its samples and pods too, which may be many megabytes. pods: its pods over time, which take a moment
        to read.
        """
        points, happened = await self.history(run_id), await self.events(run_id)
        samples = [line async for lines in self.recorded(run_id) for line in lines] if recording else []
        spans = await self.pod_spans(run_id) if pods or recording else PodSpans()
        record = await self.run(run_id)  # last, since it tells what of the others cannot be read
        baseline = await self._gate_baseline(record)
        return WholeRun(record, tuple(points), tuple(happened), tuple(samples), baseline, spans)

    async def gate(self, run_id: str) -> GateResult:
        """The run against the thresholds of its plan, so far. Raises RunNotFound."""
        record = await self.run(run_id)
        return gated(record, await self._gate_baseline(record))

    async def mark_baseline(self, run_id: str, name: str) -> None:
        """Let later runs be held against this ended one by name, in place of the run that had the name; "" to end it.

        Raises PlanError for a name that cannot be used, RunNotFound, RunStillActive.
        """
        if name:
            check_name(name)
        self._live.check_ended(run_id, "mark it")
        if self._live.get(run_id):
            raise StoreUnavailable(f"Run {run_id} is still being stored. Set it as a baseline when it is stored.")
        await self._store.mark_baseline(run_id, name)

    async def baseline(self, name: str) -> RunRecord:
        """The run that has this name. Raises BaselineNotFound."""
        found = await self.runs(1, 0, RunFilter(baseline=name)) if name else []
        if not found:
            raise BaselineNotFound(name)
        return await self.run(found[0].run_id)

    async def plan(self, name: str) -> SavedPlan:
        """The plan that is saved under this name. Raises PlanNotFound, StoreUnavailable when it cannot be read."""
        for saved in await self.plans():
            if saved.name == name:
                if saved.unreadable:
                    raise StoreUnavailable(saved.unreadable)
                return saved
        raise PlanNotFound(name)

    async def save_plan(self, name: str, plan: LoadPlan) -> SavedPlan:
        """Keep a plan under a name, in place of the one that had it. Raises PlanError for a name of no use."""
        saved = SavedPlan(name, plan, self._clock.epoch_s(), saved_by=caller_name())
        await self._store.save_plan(saved)
        return saved

    @asynccontextmanager
    async def subscribe(self, run_id: str | None = None) -> AsyncIterator[AsyncIterator[Item]]:
        """Events as they come, the last snapshot first; of every active run, or of one. Raises RunNotFound.

        Following one run ends after its last event; following all never ends.
        """
        records = self._live.active() if run_id is None else [await self.run(run_id)]
        last = [(run.run_id, SnapshotTaken(run.last.elapsed_s, run.last)) for run in records if run.last is not None]
        with self._live.broadcast.subscribe(run_id, last) as subscription:
            if run_id is not None and not records[0].state.active:
                subscription.close()
            yield subscription.items()

    @asynccontextmanager
    async def follow(self, run_id: str, after: int | None = None) -> AsyncIterator[Followed]:
        """One run by number: as it is now, then what happens. after: the number that the viewer came to before a cut.

        Raises RunNotFound, and PlanError for a number that the run has not come to.
        """
        live = self._live.get(run_id)
        # No await between looking at a live run and subscribing to it, so that nothing falls between the two.
        record = self._live.record_of(live) if live else await self.run(run_id)
        happenings = live.happenings if live else await self.happenings(run_id)
        newest = live.published_seq if live else newest_of(record, happenings)
        first = [] if after is None else missed(record, happenings, newest, after)
        with self._live.broadcast.subscribe(run_id, ()) as subscription:
            if not record.state.active:
                subscription.close()
            begins = newest if after is None else after
            yield Followed(record, begins, following(first, subscription.numbered(), begins))

    async def _gate_baseline(self, record: RunRecord) -> RunRecord | None:
        if not record.plan.gate.baseline:
            return None
        with contextlib.suppress(BaselineNotFound):
            return await self.baseline(record.plan.gate.baseline)
        return None
