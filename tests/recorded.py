"""A whole run as it is recorded, made of samples by hand: pods hot or even, for a dozen seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from scale_app.domain.events import SnapshotTaken
from scale_app.domain.histogram import Histogram, bucket_of
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Began, Recorded, WholeRun, pods_of
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PlanChanged,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import RunState, Source, point_of
from scale_app.ports import RunStore
from tests.fakes_load import observed

RUN_ID = "0b3ef1ce-4b0c-4f5e-9f53-6c0c0a3f8d11"
CREATED_AT = 1_700_000_000.0
SECONDS = 12
HOT, EVEN = (240, 60, 60), (150, 150, 150, 150, 150)


def whole_run(per_s: tuple[int, ...] = HOT, plan: LoadPlan | None = None, run_id: str = RUN_ID) -> WholeRun:
    """A finished run whose pods answered so many requests in each second, five on each connection."""
    plan = plan or LoadPlan(users=50, duration_s=SECONDS)
    began = Began(plan, Source.DEMO, CREATED_AT)
    return analysed(began, list(_samples(per_s, plan)), run_id)


def analysed(began: Began, samples: list[Sample], run_id: str = RUN_ID) -> WholeRun:
    """What the hub keeps of a run with these samples."""
    run = Run(run_id, began.plan, began.source, began.epoch_offset_s)
    record = RunRecord(run_id, began.plan, began.source, RunState.STARTING, CREATED_AT)
    events = observed(run, *samples)
    for event in events:
        record = record.followed(event, CREATED_AT + samples[-1].at_s)
    recording: tuple[Recorded, ...] = (began, *samples)
    return WholeRun(
        replace(record, plan=run.plan),
        tuple(point_of(event.snapshot) for event in events if isinstance(event, SnapshotTaken)),
        tuple(event for event in events if not isinstance(event, SnapshotTaken)),
        recording,
        pods=pods_of(events),
    )


async def lines_of(store: RunStore, run_id: str) -> list[Recorded]:
    """The run's recording, as far as the store gives it."""
    return [line async for lines in store.recorded(run_id) for line in lines]


def _samples(per_s: tuple[int, ...], plan: LoadPlan) -> Iterable[Sample]:
    names = [f"api-7d9c6b5f4-{letter * 5}" for letter in "abcdefghij"[: len(per_s)]]
    yield PodsSample(0.2, tuple(PodSeen(name, f"node-{at % 2}") for at, name in enumerate(names)))
    yield LoadReady(0.5)
    for second in range(1, SECONDS + 1):
        if second == 6:
            yield PlanChanged(0.5 + second - 0.5, plan.users + 10, plan.spawn_rate)
        yield _traffic(0.5 + second, second, dict(zip(names, per_s, strict=True)), plan)
    yield LoadEnded(0.5 + SECONDS)


def _traffic(at_s: float, second: int, per_s: dict[str, int], plan: LoadPlan) -> TrafficSample:
    failed = 2 * second
    pods = {
        name: PodCount(n * second, 0, n * second // 5, _latencies(n * second, i))
        for i, (name, n) in enumerate(per_s.items())
    }
    requests = second * sum(per_s.values())
    return TrafficSample(
        at_s,
        plan.users,
        requests + failed,
        pods,
        errors={"timeout": failed},
        connections=requests // 5,
        loads=ConnectionLoads({5: requests // 5}),
    )


def _latencies(count: int, pod: int) -> Histogram:
    slow = count // 10
    return Histogram({bucket_of(0.004 + 0.002 * pod): count - slow, bucket_of(0.060): slow})
