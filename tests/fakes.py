"""Fakes by hand, one per port: the simplest thing that keeps the promises. Contract suites hold them to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import replace

from scale_app.domain.balance import Balance
from scale_app.domain.errors import (
    LeaseLost,
    NotifyFailed,
    PlanNotFound,
    RunNotFound,
    StoreUnavailable,
)
from scale_app.domain.events import Event, Numbered, SnapshotTaken, StateChanged
from scale_app.domain.notice import Notice
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodCounts, counts_of, spread
from scale_app.domain.record import ALL_RUNS, RunFilter, RunOutline, RunRecord, SavedPlan, outline_of
from scale_app.domain.recording import Recorded
from scale_app.domain.snapshot import Point, RunState, Snapshot, Source, point_of
from scale_app.domain.verdict import Verdict, VerdictKind
from tests.examples import pod_share, snapshot


class FakeClock:
    """Time that passes only when told to."""

    def __init__(self, epoch_s: float = 1_700_000_000.0) -> None:
        self._epoch_s = epoch_s
        self._monotonic_s = 0.0
        self._passing = asyncio.Event()

    def monotonic_s(self) -> float:
        return self._monotonic_s

    def epoch_s(self) -> float:
        return self._epoch_s

    async def sleep(self, seconds: float) -> None:
        until_s = self._monotonic_s + seconds
        while self._monotonic_s < until_s:
            await self._passing.wait()

    def set_back(self, seconds: float) -> None:
        """The wall clock is put right; the other one goes on."""
        self._epoch_s -= seconds

    def advance(self, seconds: float) -> None:
        self._monotonic_s += seconds
        self._epoch_s += seconds
        self._passing.set()
        self._passing = asyncio.Event()


class PassingClock(FakeClock):
    """Time that passes at once when somebody sleeps."""

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)


RUN_BYTES = 1_000_000


class FakeStore:
    """Runs and events in memory.

    broken: an error that every further call raises, None for none. refused: events that no append ever takes.
    """

    def __init__(self, clock: FakeClock | None = None) -> None:
        self._clock = clock or FakeClock()
        self._runs: dict[str, RunRecord] = {}
        self._events: dict[str, dict[int, Event]] = {}
        self._recordings: dict[str, dict[int, Recorded]] = {}
        self._plans: dict[str, SavedPlan] = {}
        self.broken: StoreUnavailable | None = None
        self.refused: list[Event] = []
        self._numbers: dict[str, int] = {}
        self.closed = False
        self.untidy = 0
        self._may_append = asyncio.Event()
        self._may_append.set()

    async def create(self, record: RunRecord, lease_number: int = 0) -> None:
        self._check()
        if record.run_id not in self._runs:
            self._numbers[record.run_id] = lease_number
            self._runs[record.run_id] = record
            self._events[record.run_id] = {}

    async def append(
        self,
        run_id: str,
        first_seq: int,
        events: Sequence[Event],
        at_epoch_s: float | None = None,
        lease_number: int = 0,
    ) -> None:
        self._check()
        await self._may_append.wait()
        self._refuse(events)
        if not events:
            return
        record = self._owned(run_id, lease_number)
        for seq, event in enumerate(events, first_seq):
            self._events[run_id].setdefault(seq, event)
            record = record.followed(event, self._clock.epoch_s() if at_epoch_s is None else at_epoch_s)
        self._runs[run_id] = record

    def damage(self, run_id: str) -> None:
        """From now on this run's plan and last snapshot cannot be read."""
        unreadable = f"The plan of run {run_id} cannot be read."
        self._runs[run_id] = replace(self._runs[run_id], last=None, unreadable=unreadable, plan_known=False)

    def hold_appends(self) -> asyncio.Event:
        """Let appends wait until the event is set, those that wait already among them."""
        self._may_append.clear()
        return self._may_append

    async def record(self, run_id: str, first_seq: int, lines: Sequence[Recorded], lease_number: int = 0) -> None:
        self._check()
        if lines:
            self._owned(run_id, lease_number)
        for seq, line in enumerate(lines, first_seq):
            self._recordings.setdefault(run_id, {}).setdefault(seq, line)

    async def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        self._check()
        lines = self._recordings.get(run_id, {})
        for line in [lines[seq] for at, seq in enumerate(sorted(lines)) if at == seq]:
            yield [line]

    def recordings_of(self, run_id: str) -> dict[int, Recorded]:
        """What is kept of a recording, by number."""
        return self._recordings.get(run_id, {})

    async def runs(
        self, limit: int, offset: int, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()
    ) -> list[RunOutline]:
        self._check()
        newest = sorted(self._runs.values(), key=lambda run: (run.created_at_epoch_s, run.run_id), reverse=True)
        found = [run for run in map(outline_of, newest) if wanted.fits(run) and run.run_id not in without]
        return found[offset : offset + limit]

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        self._check()
        return {run_id: self._runs[run_id].plan for run_id in run_ids if run_id in self._runs}

    async def count(self, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()) -> int:
        return len(await self.runs(len(self._runs), 0, wanted, without))

    async def run(self, run_id: str) -> RunRecord:
        self._check()
        return self._known(run_id)

    async def events(self, run_id: str) -> list[Event]:
        self._check()
        return [event for _, event in sorted(self._events.get(run_id, {}).items())]

    async def points(self, run_id: str) -> list[Point]:
        return [point_of(event.snapshot) for event in await self.events(run_id) if isinstance(event, SnapshotTaken)]

    async def pod_counts(self, run_id: str, most: int) -> list[PodCounts]:
        shots = [event.snapshot for event in await self.events(run_id) if isinstance(event, SnapshotTaken)]
        return [counts_of(shots[index]) for index in spread(len(shots), most)]

    async def happenings(self, run_id: str) -> list[Numbered]:
        self._check()
        numbered = [Numbered(seq, event) for seq, event in sorted(self._events.get(run_id, {}).items())]
        return [each for each in numbered if not isinstance(each.event, SnapshotTaken)]

    async def delete(self, run_id: str) -> None:
        self._check()
        self._known(run_id)
        del self._runs[run_id], self._events[run_id]
        self._recordings.pop(run_id, None)

    async def oldest(self, limit: int) -> list[RunOutline]:
        self._check()
        oldest = sorted(self._runs.values(), key=lambda run: (run.created_at_epoch_s, run.run_id))
        return [outline_of(run) for run in oldest if not run.state.active and not run.baseline][:limit]

    async def size_bytes(self) -> int:
        """RUN_BYTES for each run."""
        self._check()
        return RUN_BYTES * len(self._runs)

    async def tidy(self) -> bool:
        """True `untidy` times."""
        self._check()
        self.untidy -= 1
        return self.untidy >= 0

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

    async def active(self) -> list[str]:
        self._check()
        return [run.run_id for run in self._runs.values() if run.state.active]

    async def mark_interrupted(self, message: str, only: Sequence[str] | None = None) -> list[str]:
        self._check()
        left = [run for run in self._runs.values() if run.state.active and (only is None or run.run_id in only)]
        for run in left:
            self._numbers[run.run_id] += 1
            kept = self._events[run.run_id]
            elapsed_s = max((event.elapsed_s for event in kept.values()), default=0.0)
            event = StateChanged(elapsed_s, RunState.INTERRUPTED, message)
            kept[max(kept, default=0) + 100_000] = event
            last_known_s = run.last.at_epoch_s if run.last else run.created_at_epoch_s
            self._runs[run.run_id] = run.followed(event, last_known_s)
        return [run.run_id for run in left]

    async def check(self) -> None:
        self._check()

    async def close(self) -> None:
        self.closed = True

    def _check(self) -> None:
        if self.broken:
            raise self.broken

    def _refuse(self, events: Sequence[Event]) -> None:
        if any(event in self.refused for event in events):
            raise ValueError("what nobody can store")

    def _owned(self, run_id: str, lease_number: int) -> RunRecord:
        record = self._known(run_id)
        if self._numbers[run_id] != lease_number:
            raise LeaseLost(f"run {run_id}")
        return record

    def _known(self, run_id: str) -> RunRecord:
        if run_id not in self._runs:
            raise RunNotFound(run_id)
        return self._runs[run_id]


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


class FakeNotifier:
    """Keeps what it is sent. `broken`: that many further tries fail; `gate`: closed while a try should hang.

    error: what a try raises when it fails, None for NotifyFailed. nameless: its name cannot be asked for.
    """

    def __init__(self, name: str = "fake", error: BaseException | None = None, nameless: bool = False) -> None:
        self._name = name
        self._nameless = nameless
        self._error = error
        self.sent: list[Notice] = []
        self.tries = 0
        self.broken = 0
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def name(self) -> str:
        if self._nameless:
            raise RuntimeError("no name")
        return self._name

    async def send(self, notice: Notice) -> None:
        self.tries += 1
        await self.gate.wait()
        if self.broken:
            self.broken -= 1
            if self._error:
                raise self._error
            raise NotifyFailed(f"Sending {notice.title!r} by {self.name} failed: it is broken. Fix it.")
        self.sent.append(notice)
