"""Fakes by hand, one per port: the simplest thing that keeps the promises. Contract suites hold them to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from scale_app.domain.balance import Balance
from scale_app.domain.compare import Comparison, compare
from scale_app.domain.demo import DemoChange, DemoStatus, Fault, Policy
from scale_app.domain.errors import (
    NoExperiment,
    NotifyFailed,
    PlanError,
    PlanNotFound,
    RunNotActive,
    RunNotFound,
    ScaleError,
    StoreUnavailable,
)
from scale_app.domain.events import Event, Numbered, SnapshotTaken, StateChanged
from scale_app.domain.experiment import Experiment, decisive_plan, no_experiment_sentence
from scale_app.domain.notice import Notice
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.pod_history import spread
from scale_app.domain.recording import Recorded
from scale_app.domain.run import RunRecord
from scale_app.domain.run_filter import ALL_RUNS, RunFilter
from scale_app.domain.samples import PodSeen
from scale_app.domain.saved_plan import SavedPlan
from scale_app.domain.snapshot import Point, RunState, Snapshot, Source, point_of
from scale_app.domain.verdict import Verdict, VerdictKind
from tests.examples import pod_share, snapshot


class FakeClock:
    """Time that passes only when told to."""

    def __init__(self, epoch_s: float = 1_700_000_000.0) -> None:
        self._epoch_s = epoch_s
        self._monotonic_s = 0.0

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def epoch_s(self) -> float:
        return self._epoch_s

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self._epoch_s += seconds


class FakeStore:
    """Runs and events in memory. `broken`: an error that every further call raises, None for none."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._runs: dict[str, RunRecord] = {}
        self._events: dict[str, dict[int, Event]] = {}
        self._recordings: dict[str, dict[int, Recorded]] = {}
        self._plans: dict[str, SavedPlan] = {}
        self.broken: StoreUnavailable | None = None
        self.closed = False
        self._may_append = asyncio.Event()
        self._may_append.set()

    async def create(self, record: RunRecord) -> None:
        self._check()
        if record.run_id in self._runs:
            raise StoreUnavailable(f"Keeping the new run {record.run_id} failed: the id is taken.")
        self._runs[record.run_id] = record
        self._events[record.run_id] = {}

    async def append(self, run_id: str, first_seq: int, events: Sequence[Event]) -> None:
        self._check()
        await self._may_append.wait()
        if not events:
            return
        record = self._known(run_id)
        for seq, event in enumerate(events, first_seq):
            self._events[run_id].setdefault(seq, event)
            record = record.followed(event, self._clock.epoch_s())
        self._runs[run_id] = record

    def hold_appends(self) -> asyncio.Event:
        """Let appends wait until the event is set."""
        self._may_append = asyncio.Event()
        return self._may_append

    async def record(self, run_id: str, first_seq: int, lines: Sequence[Recorded]) -> None:
        self._check()
        for seq, line in enumerate(lines, first_seq):
            self._recordings.setdefault(run_id, {}).setdefault(seq, line)

    async def recording(self, run_id: str) -> list[Recorded]:
        self._check()
        lines = self._recordings.get(run_id, {})
        return [lines[seq] for at, seq in enumerate(sorted(lines)) if at == seq]

    async def runs(self, limit: int, offset: int, wanted: RunFilter = ALL_RUNS) -> list[RunRecord]:
        self._check()
        newest = sorted(self._runs.values(), key=lambda run: (run.created_at_epoch_s, run.run_id), reverse=True)
        return [run for run in newest if wanted.fits(run)][offset : offset + limit]

    async def count(self, wanted: RunFilter = ALL_RUNS) -> int:
        self._check()
        return sum(map(wanted.fits, self._runs.values()))

    async def run(self, run_id: str) -> RunRecord:
        self._check()
        return self._known(run_id)

    async def events(self, run_id: str) -> list[Event]:
        self._check()
        return [event for _, event in sorted(self._events.get(run_id, {}).items())]

    async def points(self, run_id: str) -> list[Point]:
        return [point_of(event.snapshot) for event in await self.events(run_id) if isinstance(event, SnapshotTaken)]

    async def snapshots(self, run_id: str, most: int) -> list[Snapshot]:
        shots = [event.snapshot for event in await self.events(run_id) if isinstance(event, SnapshotTaken)]
        return [shots[index] for index in spread(len(shots), most)]

    async def happenings(self, run_id: str) -> list[Numbered]:
        self._check()
        numbered = [Numbered(seq, event) for seq, event in sorted(self._events.get(run_id, {}).items())]
        return [each for each in numbered if not isinstance(each.event, SnapshotTaken)]

    async def delete(self, run_id: str) -> None:
        self._check()
        self._known(run_id)
        del self._runs[run_id], self._events[run_id]
        self._recordings.pop(run_id, None)

    async def mark_baseline(self, run_id: str, name: str) -> None:
        self._check()
        self._known(run_id)
        for run in list(self._runs.values()):
            if name and run.baseline == name:
                self._runs[run.run_id] = replace(run, baseline="")
        self._runs[run_id] = replace(self._runs[run_id], baseline=name)

    async def plans(self) -> list[SavedPlan]:
        self._check()
        return sorted(self._plans.values(), key=lambda saved: saved.name)

    async def save_plan(self, saved: SavedPlan) -> None:
        self._check()
        self._plans[saved.name] = saved

    async def delete_plan(self, name: str) -> None:
        self._check()
        if name not in self._plans:
            raise PlanNotFound(name)
        del self._plans[name]

    async def mark_interrupted(self, message: str) -> list[str]:
        self._check()
        left = [run for run in self._runs.values() if run.state.active]
        for run in left:
            kept = self._events[run.run_id]
            elapsed_s = max((event.elapsed_s for event in kept.values()), default=0.0)
            event = StateChanged(elapsed_s, RunState.INTERRUPTED, message)
            kept[max(kept, default=-1) + 1] = event
            last_known_s = run.last.at_epoch_s if run.last else run.created_at_epoch_s
            self._runs[run.run_id] = run.followed(event, last_known_s)
        return [run.run_id for run in left]

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.broken:
            raise self.broken

    def _known(self, run_id: str) -> RunRecord:
        if run_id not in self._runs:
            raise RunNotFound(run_id)
        return self._runs[run_id]


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
    """The service's door for the faces. Runs stand still: a test makes them happen with `publish`.

    Snapshots are not thinned out for slow subscribers, as the real hub does. `broken`: see FakeStore.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.demo = FakeDemo()
        self.broken: ScaleError | None = None
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

    async def edit(self, run_id: str, edit: PlanEdit) -> None:
        record = self._active(run_id)
        plan = record.plan.edited(edit)
        plan.check_limits(self._limits)
        self.edits.append((run_id, edit))
        self._records[run_id] = replace(record, plan=plan)

    async def stop(self, run_id: str) -> None:
        self.publish(run_id, StateChanged(1.0, RunState.STOPPED))

    async def runs(self, limit: int = 50, offset: int = 0) -> list[RunRecord]:
        await self.check()
        return list(reversed(self._records.values()))[offset : offset + limit]

    async def run(self, run_id: str) -> RunRecord:
        await self.check()
        if run_id not in self._records:
            raise RunNotFound(run_id)
        return self._records[run_id]

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


def a_snapshot(
    run_id: str = "run-1",
    seq: int = 1,
    requests: Iterable[int] = (60, 40),
    score: float | None = 0.97,
    source: Source = Source.DEMO,
) -> Snapshot:
    """A snapshot with one pod per count; the other figures are plausible, not computed."""
    counts = list(requests)
    total = sum(counts)
    balance, verdict = Balance(len(counts), total, score=score), Verdict(VerdictKind.EVEN, "Even.")
    return snapshot(
        run_id,
        seq=seq,
        at_epoch_s=1_700_000_000.5 + seq,
        elapsed_s=float(seq),
        remaining_s=60.0 - seq,
        source=source,
        requests=total,
        balance=balance,
        verdict=verdict,
        pods=tuple(pod_share(f"pod-{i}", requests=n, share=n / max(total, 1)) for i, n in enumerate(counts)),
    )


def _pods(count: int) -> tuple[PodSeen, ...]:
    return tuple(PodSeen(f"pod-{i}") for i in range(count))


class FakeNotifier:
    """Keeps what it is sent. `broken`: that many further tries fail; `gate`: closed while a try should hang."""

    def __init__(self, name: str = "fake") -> None:
        self.name = name
        self.sent: list[Notice] = []
        self.tries = 0
        self.broken = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.broken:
            self.broken -= 1
            raise NotifyFailed(f"Sending {notice.title!r} by {self.name} failed: it is broken. Mend it.")
        self.sent.append(notice)
