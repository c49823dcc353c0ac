"""One run while it sends load: merges the samples of generator, pods and sources; sends its events to all viewers.

The run has a clock of its own: one tick a second, whether or not there is anything to report.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor

from scale_app.domain.errors import ScaleError, TargetGone, named
from scale_app.domain.events import Event, Numbered, SnapshotTaken, StateChanged
from scale_app.domain.plan import Limits, PlanEdit
from scale_app.domain.pod_history import PodHistory
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Began
from scale_app.domain.run import Run
from scale_app.domain.samples import LoadEnded, LoadReady, PodsLost, Sample, Tick
from scale_app.domain.snapshot import Point, RunState, point_of
from scale_app.domain.source import Source
from scale_app.ports import Admitted, Clock, LoadGenerator, PodDirectory, RequestCounter
from scale_app.service.broadcast import Broadcast
from scale_app.service.counter_feeds import CounterFeeds
from scale_app.service.journal import Journal
from scale_app.service.load_feed import LoadFeed
from scale_app.service.tasks import cancelled, settled_within

log = logging.getLogger(__name__)
AFTER_READINGS_S = 0.25
"""The load generator counts at whole seconds of the load; a quarter of a second later its counts have arrived."""
INSIDE_ERROR = "The run was ended by an error inside Scale; the server's log has the details. Start it again."
PODS_ERROR = (
    "The pods can no longer be watched because of an unexpected error ({error}); the server's log has the "
    "details. The pods shown may be out of date. Start another run to see them again."
)
LET_GO_LIMIT_S = 2.0
"""For each of two tries: the end of the server waits for that as well."""


class LiveRun:
    """Owns one run's generator from start to end; nothing of it outlives `drive`.

    points, pods, happenings: of what was published so far. published_seq: of the newest published event, -1 before any.
    over: set once nothing of the run goes on. stored: once all of it is in the store, and it is read from there.
    stop: see LoadFeed.
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
        self._load = LoadFeed(run.run_id, run.plan, self._counters, clock, self._samples.put_nowait)
        self._ticking = Ticking(clock, self._samples.put_nowait)
        self._unrecorded: list[Sample] = []
        self._decided = asyncio.Event()
        self._ended_at_epoch_s: float | None = None
        self.points: list[Point] = []
        self.pods = PodHistory()
        self.happenings: list[Numbered] = []
        self.published_seq = -1
        self.over = asyncio.Event()
        self.stored = asyncio.Event()
        self.stop = self._load.stop

    @property
    def record(self) -> RunRecord:
        """The run as it is now."""
        run = self._run
        return replace(
            self._created,
            plan=self._load.plan if run.state.active else run.plan,
            source=run.source,
            state=run.state,
            message=run.message,
            last=run.last,
            ended_at_epoch_s=self._ended_at_epoch_s,
        )

    async def drive(self, generator: LoadGenerator, directory: PodDirectory | None, target: Admitted) -> None:
        """Start the load and see it through to the end. The generator is gone when this returns or is cancelled."""
        parts = (self._load.run(generator, target), self._ticking.run(), self._finish_when_decided())
        feeds = [asyncio.create_task(part) for part in parts]
        if directory is not None:
            feeds.append(asyncio.create_task(self._feed_pods(directory, target)))
        began = Began(self._run.plan, self._created.source, self._run.epoch_offset_s, ticks=True)
        self._journal.recorded([began], self._created.created_at_epoch_s)
        try:
            while self._run.state.active:
                self._observe(await self._samples.get())
        except Exception:
            log.exception("run %s is ended by an error inside Scale", self._run.run_id)
            self._end_by_fault()
        finally:
            await self._release(feeds)

    async def edit(self, edit: PlanEdit, limits: Limits) -> RunRecord:
        """Change the load; the run, which must be active, with its new plan. Raises what Edits.edit raises."""
        plan = await self._load.edits.edit(edit, limits)
        return replace(self.record, plan=plan)

    def interrupt(self, why: str) -> None:
        """End it at once: it is not this server's any more. Nothing happens to a run that has ended."""
        if self._run.state.active:
            now_s = self._clock.monotonic_s()
            self._tell(self._run.next_seq, self._run.cut_off(now_s, RunState.INTERRUPTED, why))
            self._samples.put_nowait(Tick(now_s))  # whoever waits for a sample sees the end

    @property
    def stuck(self) -> bool:
        """True when a stop was asked for and the load had the time to end."""
        return self._run.state.active and self._load.stuck

    async def _finish_when_decided(self) -> None:
        await self._decided.wait()
        await self._load.finish()

    async def _feed_pods(self, directory: PodDirectory, target: Admitted) -> None:
        try:
            async for sample in directory.watch(target):
                self._samples.put_nowait(sample)
        except TargetGone as error:
            log.error("run %s lost its target: %s", self._run.run_id, error)
            await self._load.give_up(str(error))
        except ScaleError as error:
            log.error("run %s can no longer see its pods: %s", self._run.run_id, error)
            self._samples.put_nowait(PodsLost(self._clock.monotonic_s(), str(error)))
        except Exception as error:
            log.exception("run %s can no longer see its pods because of an error inside Scale", self._run.run_id)
            self._samples.put_nowait(PodsLost(self._clock.monotonic_s(), PODS_ERROR.format(error=named(error))))

    def _observe(self, sample: Sample) -> None:
        first_seq = self._run.next_seq
        self._counters.traffic_seen(sample)
        self._ticking.seen(sample)
        events = self._run.observe(sample)
        if self._run.counts_by_answers:
            self._counters.answers_suffice()
        if self._run.decided:
            self._decided.set()
        self._tell(first_seq, events, sample)

    def _tell(self, first_seq: int, events: list[Event], *samples: Sample) -> None:
        # Not the wall clock's own time, which may be set back: a run never ends before it began.
        at_epoch_s = self._clock.monotonic_s() + self._run.epoch_offset_s
        if not self._run.state.active:
            self._ended_at_epoch_s = at_epoch_s
        self._remember(first_seq, events)
        self._broadcast.publish(self._run.run_id, events, first_seq)
        # People see it first: a database that hangs must cost no viewer a second, and no alert.
        self._journal.happened(events, at_epoch_s)
        # Stored with what came of them: a write each second, not one for every reading.
        self._unrecorded.extend(samples)
        if events:
            self._journal.recorded(self._unrecorded, at_epoch_s)
            self._unrecorded = []

    def _remember(self, first_seq: int, events: list[Event]) -> None:
        for seq, event in enumerate(events, first_seq):
            if isinstance(event, SnapshotTaken):
                self.points.append(point_of(event.snapshot))
                self.pods.take(event.snapshot)
            else:
                self.happenings.append(Numbered(seq, event))
            self.published_seq = seq

    def _end_by_fault(self) -> None:
        """The end of a run after a fault of Scale's own; without a last snapshot when none can be made any more."""
        try:
            self._observe(LoadEnded(self._clock.monotonic_s(), INSIDE_ERROR))
        except Exception:
            log.exception("run %s has no final figures", self._run.run_id)
        told = [numbered.event for numbered in self.happenings]
        if not any(isinstance(event, StateChanged) and not event.state.active for event in told):
            first_seq = self._run.next_seq
            self._tell(first_seq, self._run.cut_off(self._clock.monotonic_s(), RunState.FAILED, INSIDE_ERROR))

    async def _release(self, feeds: list[asyncio.Task[None]]) -> None:
        what = f"the end of run {self._run.run_id}"
        parts = (self._load.kill(), cancelled(*feeds), self._counters.close())
        await settled_within(self._clock, LET_GO_LIMIT_S, what, *parts)
        # Once more: it may have been about to start, and there only now.
        if not await settled_within(self._clock, LET_GO_LIMIT_S, what, self._load.kill()):
            log.error("run %s: its load may still run; end its process by hand", self._run.run_id)
        self._samples = asyncio.Queue()  # what came after the end may be large, and nobody takes it any more
        self._broadcast.end(self._run.run_id)
        self.over.set()


class Ticking:
    """put: takes each tick. While one waits to be taken in there is no other, so none pile up behind a slow reader."""

    def __init__(self, clock: Clock, put: Callable[[Sample], None]) -> None:
        self._clock = clock
        self._put = put
        self._began_s = 0.0
        self._begun = asyncio.Event()
        self._waits = False

    def seen(self, sample: Sample) -> None:
        """The run has taken this in."""
        if isinstance(sample, LoadReady):
            self._began_s = sample.at_s
            self._begun.set()
        if isinstance(sample, Tick):
            self._waits = False

    async def run(self) -> None:
        """Tick for ever. Seconds missed in a pause are not made up for: their counts come all at once, too."""
        await self._begun.wait()
        second = 0
        while True:
            due_s = self._began_s + second + 1 + AFTER_READINGS_S
            await self._clock.sleep(due_s - self._clock.monotonic_s())
            over = floor(self._clock.monotonic_s() - AFTER_READINGS_S - self._began_s)
            second = max(second + 1, over)
            if not self._waits:
                self._waits = True
                self._put(Tick(self._began_s + second))
