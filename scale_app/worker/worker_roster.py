"""What the coordinator knows of each worker process: who it is, its state, whether it hangs, and what it has counted.

A process reports cumulative counters. What it reported last stays in the sum for ever, also after its death; a report
that is lost on the way costs nothing, since the next one says it again.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from scale_app.child_process import ProcessState, process_state
from scale_app.domain.histogram import merged
from scale_app.domain.samples import ConnectionLoads, GeneratorHealth, PodCount, TrafficSample

RUNNING_S = 20.0
PATIENCE_S: dict[ProcessState, float] = {
    "stopped": 2.0,
    "sleeps": 5.0,
    "unknown": 5.0,
    "runs": RUNNING_S,
    "ended": RUNNING_S,  # its exit is reported by other means
}
Key = TypeVar("Key", bound=Hashable)
NamedConnection = tuple[int, str, int]
"""Its answers; its endpoint, "" where that is not asked for; its switches."""
MOST_PROCESSES = 1_024
"""Processes of one run since its start. Connection ids are made unique by it."""


@dataclass(slots=True)
class ForkedProcess:
    """A process of ours. exited: "" while it runs, else how it ended ("killed by SIGKILL", "exit code 1")."""

    pid: int = 0
    exited: str = ""

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if not self.exited:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class Silence:
    """How long one of several processes may say nothing before the others get its users.

    That a process is late to answer does not show that it hangs: on a busy machine it may wait for a CPU. Of a process
    of this machine the system tells which it is, and it tells at once when one has ended. A process that runs, or wants
    to, gets much time; one that somebody has stopped gets little, for its users send nothing. Of another machine's
    process nothing is known but that it ends its load by itself when it has not heard from here for
    `worker_process.COORDINATOR_SILENT_S`: only then do its users go to others, so that there is never more load than
    was asked for.
    """

    def __init__(self) -> None:
        self._silent_s = 0.0
        self._ran_s = 0.0

    def too_long(self, silent_s: float, state: ProcessState) -> bool:
        """Does it hang? silent_s: since it was heard. What counts is how long it neither spoke nor wanted to run."""
        if silent_s < self._silent_s:
            self._ran_s = 0.0
        self._silent_s = silent_s
        if state == "runs":
            self._ran_s = silent_s
        return silent_s >= RUNNING_S or silent_s - self._ran_s >= PATIENCE_S[state]


@dataclass(slots=True)
class RosterEntry:
    """name: Locust's for it. where: "" on this machine. answered: the last question for counts that it answered.

    leaving: it gets no more users. finished: it has reported for the last time. gone: it is no part of the run.
    """

    number: int
    name: str
    where: str
    child: ForkedProcess | None
    answered: int = 0
    leaving: bool = False
    finished: bool = False
    gone: bool = False
    silence: Silence = field(default_factory=Silence)

    @property
    def state(self) -> ProcessState:
        """What the system reports about it."""
        return "unknown" if self.child is None else process_state(self.child.pid)

    def sentence(self, how: str, left: int, moved: bool = True) -> str:
        """A sentence or two for people. how: what happened to it. left: how many go on."""
        where = f" (on {self.where})" if self.where else ""
        said = f"One of {left + 1} worker processes{where} {how}."
        return f"{said} Its users were moved to the remaining {left}." if moved else said


class WorkerRoster:
    """Everybody who ever joined, by name."""

    def __init__(self) -> None:
        self._all: dict[str, RosterEntry] = {}

    def add(self, name: str, where: str, child: ForkedProcess | None) -> RosterEntry:
        process = self._all[name] = RosterEntry(len(self._all), name, where, child)
        return process

    def named(self, name: str) -> RosterEntry | None:
        return self._all.get(name)

    @property
    def living(self) -> list[RosterEntry]:
        """Those that may still report."""
        return [process for process in self._all.values() if not process.gone]

    @property
    def working(self) -> list[RosterEntry]:
        """Those that have, or get, users."""
        return [process for process in self.living if not process.leaving]

    @property
    def gone(self) -> int:
        """How many left or died before the end."""
        return len(self._all) - len(self.living)

    def local(self) -> int:
        """How many of this machine are working."""
        return sum(not process.where for process in self.working)

    def remote(self) -> int:
        """How many of other machines are working."""
        return sum(bool(process.where) for process in self.working)


@dataclass(slots=True)
class _Contribution:
    """named: connections that the next total must name; they are not forgotten before a total has said them once.

    worst: of the health that was reported since the last total.
    """

    sample: TrafficSample
    worst: GeneratorHealth
    alive: bool = True
    named: dict[int, NamedConnection] = field(default_factory=dict)


class MergedCounters:
    """The merged counters of all worker processes of a run."""

    def __init__(self) -> None:
        self._processes: dict[int, _Contribution] = {}

    def take(self, process: int, sample: TrafficSample) -> None:
        """A process's counters since its own start. process: its number, below MOST_PROCESSES."""
        known = self._processes.setdefault(process, _Contribution(sample, sample.generator))
        known.sample = sample
        known.worst = _worst([known.worst, sample.generator], sample.generator)
        if sample.loads is not None:
            known.named |= _named(sample.loads, process)

    def gone(self, process: int) -> None:
        """The process sends nothing any more; what it reported stays."""
        if process in self._processes:
            self._processes[process].alive = False

    def total(self, at_s: float, processes: int = 1, lost: int = 0) -> TrafficSample:
        """The sum of what every process reported last. processes: that send now; lost: that ended too early."""
        samples = [known.sample for known in self._processes.values()]
        alive = [known for known in self._processes.values() if known.alive]
        health = _worst([known.worst for known in alive], _arrivals(samples))
        for known in alive:
            known.worst = known.sample.generator
        return TrafficSample(
            at_s=at_s,
            users=sum(known.sample.users for known in alive),
            requests=sum(sample.requests for sample in samples),
            pods=_pods(sample.pods for sample in samples),
            unnamed=_pod([sample.unnamed for sample in samples]),
            redirects=sum(sample.redirects for sample in samples),
            errors=_counts(sample.errors for sample in samples),
            connections=sum(sample.connections for sample in samples),
            loads=self._loads() if all(sample.loads is not None for sample in samples) else None,
            generator=replace(health, processes=processes, lost_processes=lost),
        )

    def _loads(self) -> ConnectionLoads:
        processes = self._processes.items()
        loads = [known.sample.loads for _, known in processes if known.sample.loads is not None]
        named = {connection: seen for _, known in processes for connection, seen in known.named.items()}
        switches = {connection: times for connection, (_, _, times) in named.items() if times}
        for number, known in processes:
            # A living process's connections are named again even when no report comes before the next total.
            known.named = _named(known.sample.loads, number) if known.alive and known.sample.loads is not None else {}
        return ConnectionLoads(
            _counts(load.short for load in loads),
            {connection: answers for connection, (answers, _, _) in named.items()},
            sum(load.switched for load in loads),
            {connection: endpoint for connection, (_, endpoint, _) in named.items() if endpoint},
            switches if all(load.switches is not None for load in loads) else None,
            _short_switches(loads),
        )


def _short_switches(loads: Iterable[ConnectionLoads]) -> dict[int, dict[int, int]]:
    every = [load.short_switches for load in loads]
    carried = dict.fromkeys(requests for each in every for requests in each)
    return {requests: _counts(each.get(requests, {}) for each in every) for requests in carried}


def _named(loads: ConnectionLoads, process: int) -> dict[int, NamedConnection]:
    """The connections of a process, by ids that no other process has."""
    endpoints, switches = loads.endpoints, loads.switches or {}
    return {
        connection * MOST_PROCESSES + process: (answers, endpoints.get(connection, ""), switches.get(connection, 0))
        for connection, answers in loads.long.items()
    }


def _pods(parts: Iterable[Mapping[str, PodCount]]) -> dict[str, PodCount]:
    by_name: dict[str, list[PodCount]] = {}
    for part in parts:
        for name, count in part.items():
            by_name.setdefault(name, []).append(count)
    return {name: _pod(counts) for name, counts in by_name.items()}


def _pod(counts: list[PodCount]) -> PodCount:
    return PodCount(
        sum(count.requests for count in counts),
        sum(count.failures for count in counts),
        sum(count.connections for count in counts),
        merged(count.latency for count in counts),
        sum(count.unanswered for count in counts),
    )


def _counts(parts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    total: Counter[Key] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _worst(all_of: list[GeneratorHealth], arrivals: GeneratorHealth) -> GeneratorHealth:
    """The worst of each figure, since one process that is too slow spoils the figures of all; arrivals as given."""
    ports = [health.ports_left for health in all_of if health.ports_left is not None]
    return replace(
        arrivals,
        cpu_share=max((health.cpu_share for health in all_of), default=0.0),
        loop_lag_ms=max((health.loop_lag_ms for health in all_of), default=0.0),
        ports_left=min(ports, default=None),
        schedule_lag_p99_ms=max((health.schedule_lag_p99_ms for health in all_of), default=0.0),
        schedule_lag_max_ms=max((health.schedule_lag_max_ms for health in all_of), default=0.0),
    )


def _arrivals(samples: list[TrafficSample]) -> GeneratorHealth:
    every = [sample.generator for sample in samples]
    return GeneratorHealth(
        arrivals=sum(health.arrivals for health in every),
        late_arrivals=sum(health.late_arrivals for health in every),
        dropped_arrivals=sum(health.dropped_arrivals for health in every),
    )
