"""Made-up traffic through the real path: the worker's counters, then a run's windows, verdicts, alerts and causes.

Nothing is opened and no clock is read: each made-up second ends with the sample that the worker would have sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from scale_app.domain.events import AlertCleared, AlertRaised, Event, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import GeneratorHealth, LoadEnded, LoadReady, PodSeen, PodsSample, TrafficSample
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.source import Source
from scale_app.domain.verdict import VerdictKind
from scale_app.worker.counters import CountedConnection, Counters, OutcomeCounter
from scale_app.worker.worker_roster import MergedCounters
from tests.bench.power_traffic import (
    ANSWERED,
    EACH,
    GATEWAY,
    HEARS_S,
    MEANT,
    REFUSED,
    RESET,
    TIMEOUT,
    TIMEOUT_S,
    Scene,
    Traffic,
    traffic_of,
)
from tests.fakes_load import observed

NODES = ("node-a", "node-b")
CAUSES = {TIMEOUT: "timeout", REFUSED: "connection refused", RESET: "connection reset"}
LATENCIES_S = (np.random.default_rng(0).lognormal(-5.3, 0.3, 251)).tolist()


@dataclass(slots=True)
class Seen:
    """What a person who followed one run was told. Times: seconds after the warm-up, None for never.

    alerted_s: of the first alert; ended_s: of the first "it is over". uneven_s, even_s: the first second at which the
    verdict since the start was UNEVEN, EVEN. recent_uneven: that of the last 10 or 60 seconds ever was UNEVEN.
    ever: codes of causes that were named at any second; named: at the last one. picks: as the last verdict took them.
    """

    alerted_s: int | None = None
    ended_s: int | None = None
    uneven_s: int | None = None
    even_s: int | None = None
    recent_uneven: bool = False
    ever: set[str] = field(default_factory=set)
    named: tuple[str, ...] = ()
    final: VerdictKind = VerdictKind.NO_DATA
    picks: float = 0.0


def watch(scene: Scene, rng: np.random.Generator) -> Seen:
    """One trial, looked at every second and at its end."""
    traffic = traffic_of(scene, rng)
    run, processes, seen = _run(scene, traffic.users), _Processes(scene, traffic), Seen()
    for at_s in range(1, scene.total_s + 1):
        _note(seen, observed(run, processes.second(at_s)), at_s, scene)
        observed(run, *_changed(scene, at_s))
    _note(seen, observed(run, LoadEnded(float(scene.total_s))), scene.total_s, scene)
    return seen


def _run(scene: Scene, users: int) -> Run:
    plan = LoadPlan(
        "http://shop.test/",
        users=users,
        duration_s=float(scene.total_s),
        warm_up_s=float(scene.warm_up_s),
        requests_per_connection=EACH[scene.policy],
        timeout_s=TIMEOUT_S,
        weights={_name(0): MEANT, "shop": 1.0 * (scene.pods - 1)} if scene.setting == "declared weights" else {},
    )
    run = Run("power", plan, Source.HEADER, 0.0)
    observed(run, *_changed(scene, 0), LoadReady(0.0))
    return run


def _changed(scene: Scene, at_s: int) -> list[PodsSample]:
    """The list of pods, if it is known and not that of a second before."""
    if scene.setting == "unknown roster":
        return []
    now = _directory(scene, at_s)
    return [now] if not at_s or now.pods != _directory(scene, at_s - 1).pods else []


def _directory(scene: Scene, at_s: int) -> PodsSample:
    """The pods that are ready, half of them on each node; the dead and the starved one are ready by their probes. One
    that is replaced ends while its successor is ready, and is listed until the balancer has heard of it."""
    first = 1 if scene.case == "joined late" and at_s < scene.joins_at_s else 0
    seen = list[PodSeen]()
    for pod, replaced_s in enumerate(scene.replaced_s.tolist()):
        ends, node = at_s >= replaced_s, NODES[pod % 2]
        if pod >= first and at_s < replaced_s + HEARS_S + 1:
            seen.append(PodSeen(_name(pod), node, ready=not ends, terminating=ends))
        if ends:
            seen.append(PodSeen(_name(pod + scene.pods), node))
    return PodsSample(float(at_s), tuple(seen))


def _name(pod: int) -> str:
    return f"shop-{pod:03d}"


class _Processes:
    """The worker's place, or several workers' and that of the one which adds up what they counted."""

    def __init__(self, scene: Scene, traffic: Traffic) -> None:
        self._parts = _parts(traffic, scene.processes)
        self._processes = [_Process() for _ in self._parts]
        self._bounds = [np.searchsorted(part.second, np.arange(scene.total_s + 1)) for part in self._parts]
        self._merged = MergedCounters()

    def second(self, at_s: int) -> TrafficSample:
        """The sample at the end of this second, the first of which ends at 1."""
        for process, part, bounds in zip(self._processes, self._parts, self._bounds, strict=True):
            process.send(part, slice(int(bounds[at_s - 1]), int(bounds[at_s])))
        samples = [
            process.counters.sample(float(at_s), part.users, GeneratorHealth())
            for process, part in zip(self._processes, self._parts, strict=True)
        ]
        if len(samples) == 1:
            return samples[0]
        for process, sample in enumerate(samples):
            self._merged.take(process, sample)
        return self._merged.total(float(at_s), len(samples))


def _parts(traffic: Traffic, processes: int) -> list[Traffic]:
    """Of each process: every so-manieth user is its own."""
    if processes == 1:
        return [traffic]
    own = [traffic.user % processes == process for process in range(processes)]
    columns = [traffic.second, traffic.user, traffic.pod, traffic.outcome, traffic.opens, traffic.closes]
    return [Traffic(*(column[mask] for column in columns), users=traffic.users // processes) for mask in own]


class _Process:
    """One process: tells its counters what happens on each user's connection."""

    def __init__(self) -> None:
        self.counters = Counters()
        self._open: dict[int, CountedConnection] = {}
        self._latency = cycle(LATENCIES_S)
        self._cells = dict[tuple[int, int], OutcomeCounter]()
        self._gateway = self.counters.cell(b"", 502)

    def send(self, traffic: Traffic, part: slice) -> None:
        """Everything that ended in one second."""
        columns = (traffic.user, traffic.pod, traffic.outcome, traffic.opens, traffic.closes)
        counters, is_open, latency = self.counters, self._open, self._latency
        for user, pod, outcome, opens, closes in zip(*(column[part].tolist() for column in columns), strict=True):
            if opens and outcome != REFUSED:
                is_open[user] = counters.opened()
            if outcome <= GATEWAY:
                counters.answered(is_open[user], self._cell(pod, outcome), next(latency))
            else:
                counters.unanswered(
                    CAUSES[outcome], TIMEOUT_S if outcome == TIMEOUT else next(latency), is_open.get(user)
                )
            if closes and user in is_open:
                counters.closed(is_open.pop(user))

    def _cell(self, pod: int, outcome: int) -> OutcomeCounter:
        """As the worker does it, of a pod that has answered."""
        if outcome == GATEWAY:
            return self._gateway
        if (pod, outcome) not in self._cells:
            status = 200 if outcome == ANSWERED else 503
            self._cells[pod, outcome] = self.counters.cell(_name(pod).encode(), status)
        return self._cells[pod, outcome]


def _note(seen: Seen, events: list[Event], at_s: int, scene: Scene) -> None:
    judged_s = at_s - scene.warm_up_s
    for event in events:
        if isinstance(event, AlertRaised) and seen.alerted_s is None:
            seen.alerted_s = judged_s
        elif isinstance(event, AlertCleared) and seen.ended_s is None:
            seen.ended_s = judged_s
        elif isinstance(event, SnapshotTaken):
            _look(seen, event.snapshot, judged_s)


def _look(seen: Seen, snapshot: Snapshot, judged_s: int) -> None:
    verdict = snapshot.verdict
    if snapshot.state.active:  # the end of a run that took its time is one look of its own, see `final`
        if verdict.kind is VerdictKind.UNEVEN and seen.uneven_s is None:
            seen.uneven_s = judged_s
        if verdict.kind is VerdictKind.EVEN and seen.even_s is None:
            seen.even_s = judged_s
    parts = (snapshot.recent_verdict, snapshot.minute_verdict)
    seen.recent_uneven |= any(part.kind is VerdictKind.UNEVEN for part in parts)
    seen.named = tuple(finding.code for finding in snapshot.findings)
    seen.ever |= set(seen.named)
    seen.final, seen.picks = verdict.kind, verdict.effective_picks or 0.0
