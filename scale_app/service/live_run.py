"""One run while it sends load: merges the generator's and the pods' samples, and takes every event its one way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

from scale_app.domain.errors import RunNotActive, ScaleError
from scale_app.domain.events import Event, Numbered, SnapshotTaken
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.recording import Began
from scale_app.domain.run import Run, RunRecord
from scale_app.domain.samples import LoadEnded, LoadReady, PlanChanged, PodsLost, Sample, StopAsked
from scale_app.domain.snapshot import Point, RunState, point_of
from scale_app.domain.source import Source
from scale_app.ports import Admitted, Clock, Load, LoadGenerator, PodDirectory, RequestCounter
from scale_app.service.broadcast import Broadcast
from scale_app.service.counter_feeds import CounterFeeds
from scale_app.service.edits import Edits
from scale_app.service.journal import Journal

log = logging.getLogger(__name__)
INSIDE_ERROR = "The run was ended by an error inside Scale; the server's log has the details. Start it again."


class LiveRun:
    """Owns one run's generator from start to end; nothing of it outlives `drive`.

    points, pods, happenings: of what was published so far. published_seq: of the newest published event, -1 before any.
    """

    def __init__(
        self,
        run: Run,
        record: RunRecord,
        journal: Journal,
        broadcast: Broadcast,
        clock: Clock,
        counters: Mapping[Source, RequestCounter] | None = None,
    ) -> None:
        self._run = run
        self._created = record
        self._journal = journal
        self._broadcast = broadcast
        self._clock = clock
        self._samples: asyncio.Queue[Sample] = asyncio.Queue()
        self._counters = CounterFeeds(counters or {}, run.plan, self._samples.put_nowait, clock)
        self._edits = Edits(run.run_id, run.plan, clock, self._plan_changed)
        self._load: Load | None = None
        self._stop_asked = False
        self._ended_at_epoch_s: float | None = None
        self.points: list[Point] = []
        self.pods = PodHistory()
        self.happenings: list[Numbered] = []
        self.published_seq = -1

    @property
    def record(self) -> RunRecord:
        """The run as it is now."""
        run = self._run
        return replace(
            self._created,
            plan=self._edits.plan if run.state.active else run.plan,
            source=run.source,
            state=run.state,
            message=run.message,
            last=run.last,
            ended_at_epoch_s=self._ended_at_epoch_s,
        )

    async def drive(self, generator: LoadGenerator, directory: PodDirectory | None, target: Admitted) -> None:
        """Start the load and see it through to the end. The generator is gone when this returns or is cancelled."""
        feeds = [asyncio.create_task(self._feed_load(generator, target))]
        if directory is not None:
            feeds.append(asyncio.create_task(self._feed_pods(directory, target)))
        began = Began(self._run.plan, self._created.source, self._run.epoch_offset_s)
        self._journal.recorded([began], self._created.created_at_epoch_s)
        try:
            while self._run.state.active:
                self._observe(await self._samples.get())
        except Exception:
            log.exception("run %s is ended by an error inside Scale", self._run.run_id)
            self._observe(LoadEnded(self._clock.monotonic_s(), INSIDE_ERROR))
        finally:
            await self._release(feeds)

    async def edit(self, edit: PlanEdit, limits: Limits) -> RunRecord:
        """Change the load; the run with its new plan. Raises PlanError, GeneratorFailed, RunNotActive at its end."""
        if not self._run.state.active:
            self._edits.end(self._run.state)
        plan = await self._edits.edit(edit, limits)
        return replace(self.record, plan=plan)

    async def stop(self) -> None:
        """Let the requests in flight finish, then end. Raises RunNotActive when that was asked before."""
        if self._stop_asked or not self._run.state.active:
            state = "stopping already" if self._run.state.active else self._run.state
            raise RunNotActive(f"Run {self._run.run_id} is {state}, so it cannot be stopped.")
        self._stop_asked = True
        self._edits.end(RunState.STOPPING)
        self._samples.put_nowait(StopAsked(self._clock.monotonic_s()))
        if self._load is not None:
            await self._load.stop()

    def _plan_changed(self, plan: LoadPlan) -> None:
        self._samples.put_nowait(
            PlanChanged(self._clock.monotonic_s(), plan.users, plan.spawn_rate, plan.arrivals_per_s)
        )

    async def _feed_load(self, generator: LoadGenerator, target: Admitted) -> None:
        problem = await self._counters.open(target)
        if problem:
            self._samples.put_nowait(LoadEnded(self._clock.monotonic_s(), problem))
            return
        plan = self._edits.plan
        try:
            self._load = await generator.start(plan, target)
            await self._edits.follow(self._load, plan)
        except ScaleError as error:
            self._samples.put_nowait(LoadEnded(self._clock.monotonic_s(), str(error)))
            return
        if self._stop_asked:
            await self._load.stop()
        await self._feed(self._load.samples())

    async def _feed_pods(self, directory: PodDirectory, target: Admitted) -> None:
        try:
            async for sample in directory.watch(target):
                self._samples.put_nowait(sample)
        except ScaleError as error:
            log.error("run %s lost sight of its pods: %s", self._run.run_id, error)
            self._samples.put_nowait(PodsLost(self._clock.monotonic_s(), str(error)))

    async def _feed(self, source: AsyncIterator[Sample]) -> None:
        try:
            async for sample in source:
                if isinstance(sample, LoadReady):
                    self._edits.begun(sample.at_s)
                if isinstance(sample, LoadEnded):
                    self._edits.end("ending")
                if isinstance(sample, LoadEnded) and not self._run.counts_by_answers:
                    await self._counters.last_reading(sample.at_s)
                self._samples.put_nowait(sample)
        except ScaleError as error:
            log.error("run %s lost a source of samples: %s", self._run.run_id, error)

    def _observe(self, sample: Sample) -> None:
        first_seq = self._run.next_seq
        self._counters.traffic_seen(sample)
        events = self._run.observe(sample)
        if self._run.counts_by_answers:
            self._counters.answers_suffice()
        if not self._run.state.active:
            self._ended_at_epoch_s = self._clock.epoch_s()
        self._remember(first_seq, events)
        self._broadcast.publish(self._run.run_id, events, first_seq)
        # People see it first: a database that hangs must cost no viewer a second, and no alert.
        at_epoch_s = self._ended_at_epoch_s or self._clock.epoch_s()
        self._journal.happened(events, at_epoch_s)
        self._journal.recorded([sample], at_epoch_s)

    def _remember(self, first_seq: int, events: list[Event]) -> None:
        for seq, event in enumerate(events, first_seq):
            if isinstance(event, SnapshotTaken):
                self.points.append(point_of(event.snapshot))
                self.pods.take(event.snapshot)
            else:
                self.happenings.append(Numbered(seq, event))
            self.published_seq = seq

    async def _release(self, feeds: list[asyncio.Task[None]]) -> None:
        for feed in feeds:
            feed.cancel()
        await asyncio.gather(*feeds, self._counters.close(), return_exceptions=True)
        if self._load is not None:
            await self._load.kill()
        self._broadcast.end(self._run.run_id)
