"""An hour of a run in the history, made in seconds: a minute of the simulated source, told sixty times over.

The minute is the source's own on a clock that does not wait, judged by the real analysis and kept by the real store;
each further minute has later times. To judge 3,600 different seconds would take longer than the rest of the bench.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
from scale_app.adapters.store import SqlRunStore
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.events import Event, SnapshotTaken, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.run import Run
from scale_app.domain.samples import Sample
from scale_app.domain.snapshot import RunState, Snapshot, Source
from scale_app.ports import Admitted
from tests.fakes import PassingClock
from tests.fakes_load import observed

RUN_ID = "an-hour"
MINUTE_S, HOUR_S = 60, 3_600
AT_ONCE = 600


def keep_an_hour(database_url: str, pods: int) -> str:
    """Store a finished run with a snapshot for each second of an hour; its id."""
    plan = LoadPlan(target_url=f"simulated?pods={pods}", users=20, spawn_rate=20, duration_s=HOUR_S)
    asyncio.run(_keep(database_url, plan))
    return RUN_ID


async def _keep(database_url: str, plan: LoadPlan) -> None:
    clock = SystemClock()
    store = SqlRunStore(database_url, clock)
    began = clock.epoch_s() - HOUR_S
    minute = await _minute(plan, began)
    taken: list[Event] = [_at(minute[second % MINUTE_S], second) for second in range(HOUR_S)]
    events = [StateChanged(0.0, RunState.RUNNING), *taken, StateChanged(float(HOUR_S), RunState.FINISHED)]
    await store.create(RunRecord(RUN_ID, plan, Source.SIMULATED, RunState.STARTING, began))
    for first in range(0, len(events), AT_ONCE):
        await store.append(RUN_ID, first, events[first : first + AT_ONCE])
    await store.close()


def _at(snapshot: Snapshot, second: int) -> SnapshotTaken:
    """The snapshot as that of another second, the first one's being 0."""
    elapsed_s = float(second + 1)
    moved = replace(
        snapshot,
        seq=second + 1,
        at_epoch_s=snapshot.at_epoch_s - snapshot.elapsed_s + elapsed_s,
        elapsed_s=elapsed_s,
        remaining_s=HOUR_S - elapsed_s,
        duration_s=float(HOUR_S),
    )
    return SnapshotTaken(elapsed_s, moved)


async def _minute(plan: LoadPlan, began: float) -> list[Snapshot]:
    run = Run(RUN_ID, plan, Source.SIMULATED, began)
    events = [event async for sample in _samples(plan) for event in observed(run, sample)]
    return [event.snapshot for event in events if isinstance(event, SnapshotTaken)][:MINUTE_S]


async def _samples(plan: LoadPlan) -> AsyncIterator[Sample]:
    clock, target = PassingClock(), Admitted(plan.target_url, Source.SIMULATED, ())

    yield await anext(SimulatedPods(clock).watch(target))
    load = await SimulatedGenerator(clock).start(replace(plan, duration_s=MINUTE_S + 1), target)
    async for sample in load.samples():
        yield sample
