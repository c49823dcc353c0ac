"""Users in a closed loop before ready pods, one of which stops answering: what the worker and the sources would tell.

No clock and no sockets: moments are dealt out in order, the worker's own counters count, and a run judges the samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import Literal

from scale_app.domain.events import AlertRaised, Event, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionsSample,
    CountsSample,
    GeneratorHealth,
    LoadEnded,
    LoadReady,
    PodSeen,
    PodsSample,
    Sample,
    Tick,
)
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.source import Source
from scale_app.worker.counters import CountedConnection, Counters

Happening = Callable[[float], None]
How = Literal["drops", "hangs", "refuses"]
DEAD = "pod-0"
LATENCY_S = 0.005
NEVER_S = 1e9
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.1, 2.0
LOOK_AFTER_S = 0.1
EVERY_S = {Source.CONNECTION_MAP: 2.0}
PAGE_LIMIT_S, PATIENCE_S, READ_S = 5.0, 1.0, 0.03


@dataclass(frozen=True, slots=True)
class Scene:
    """each: requests of a connection, None for kept ones. how: what becomes of what is sent to the dead pod.

    from_s, to_s: when it is dead; never by default. others: requests of other clients that each pod counts in a second.
    spread: so much of the requests of any pod gets no answer. restarts: its container does, at to_s.
    """

    source: Source = Source.HEADER
    how: How = "drops"
    each: int | None = 5
    users: int = 40
    think_s: float = 0.4
    timeout_s: float = 10.0
    pods: int = 5
    from_s: float = NEVER_S
    to_s: float = NEVER_S
    duration_s: float = 30.0
    others: float = 0.0
    spread: float = 0.0
    restarts: bool = False
    seed: int = 0


@dataclass(slots=True)
class Played:
    """run: as it ended. answered: by each pod, in truth. alerts: what was raised. looks: what was seen, in order."""

    run: Run
    answered: dict[str, int]
    alerts: list[str] = field(default_factory=list)
    looks: list[Snapshot] = field(default_factory=list)

    @property
    def last(self) -> Snapshot:
        return self.looks[-1]

    def silent_pods(self) -> list[tuple[str, ...]]:
        """The pods of each finding at the end that says that they do not answer."""
        return [finding.pods for finding in self.last.findings if finding.code == "silent_pod"]


def played(scene: Scene) -> Played:
    """The whole run."""
    plan = LoadPlan(
        target_url="http://shop.test/",
        users=scene.users,
        think_time_s=scene.think_s,
        duration_s=scene.duration_s,
        requests_per_connection=scene.each,
        timeout_s=scene.timeout_s,
        counting="auto" if scene.source.traits.in_answers else scene.source.value,  # type: ignore[arg-type]
        enter_pods="exec",
    )
    traffic = _Traffic(scene)
    seen = Played(Run("dead-pod", plan, Source.HEADER, 0.0), traffic.answered)
    for sample in traffic.samples():
        _note(seen, seen.run.observe(sample))
    return seen


def _note(seen: Played, events: list[Event]) -> None:
    for event in events:
        if isinstance(event, AlertRaised):
            seen.alerts.append(event.alert.message)
        elif isinstance(event, SnapshotTaken):
            seen.looks.append(event.snapshot)


@dataclass(slots=True)
class _User:
    pod: str = ""
    connection: CountedConnection | None = None
    failures: int = 0


class _Traffic:
    """What happens, a moment after the other. answered: by each pod."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._rng = Random(scene.seed)
        self._names = [f"pod-{i}" for i in range(scene.pods)]
        self._counters = Counters()
        self.answered = dict.fromkeys(self._names, 0)
        self._accepted = dict.fromkeys(self._names, 0)
        self._clients: dict[str, set[str]] = {name: set() for name in self._names}
        self._users = [_User() for _ in range(scene.users)]
        self._in_flight = 0
        self._held = False
        self._port = 10_000
        self._due: list[tuple[float, int, Happening]] = []
        self._out: list[Sample] = []
        self._order = 0

    def samples(self) -> list[Sample]:
        """In the order in which the hub would get them."""
        self._out = [self._ready_pods(0.0)]
        first = self._read(0.0)
        self._out += [*([first] if first else []), LoadReady(0.0)]
        for user in self._users:
            self._at(self._rng.random() * max(self._scene.think_s, 0.1), partial(self._send, user))
        self._at(1.0, self._sample_each_second)
        self._at(self._every_s(), self._read_each_second)
        over_s = self._until_ended()
        if not self._scene.source.traits.in_answers:
            last = self._read(over_s + PATIENCE_S)
            assert last is not None
            self._out.append(last)
        return [*self._out, LoadEnded(over_s)]

    def _until_ended(self) -> float:
        """Nothing is sent after the duration; what is in flight then is waited for. When that was over."""
        now_s = 0.0
        while self._due:
            now_s, _, happens = heappop(self._due)
            if now_s >= self._scene.duration_s and not self._in_flight:
                break
            happens(now_s)
        self._sample(now_s)
        return now_s

    def _sample_each_second(self, now_s: float) -> None:
        self._sample(now_s)
        self._at(now_s + 1.0, self._sample_each_second)

    def _read_each_second(self, now_s: float) -> None:
        if reading := self._read(now_s):
            held_s = self._held_s(now_s)
            self._at(now_s + held_s, lambda _: self._out.append(reading))
            self._at(now_s + max(self._every_s(), held_s + 2 * READ_S), self._read_each_second)

    def _sample(self, now_s: float) -> None:
        self._out += [
            self._ready_pods(now_s),
            self._counters.sample(now_s, self._scene.users, GeneratorHealth()),
            Tick(now_s + LOOK_AFTER_S),
        ]

    def _at(self, at_s: float, happens: Happening) -> None:
        self._order += 1
        heappush(self._due, (at_s, self._order, happens))

    def _dead(self, pod: str, at_s: float) -> bool:
        return pod == DEAD and self._scene.from_s <= at_s < self._scene.to_s

    def _send(self, user: _User, now_s: float) -> None:
        if now_s >= self._scene.duration_s:
            return
        scene, opens = self._scene, user.connection is None
        if opens:
            user.pod = self._rng.choice(self._names)
        dead = self._dead(user.pod, now_s)
        self._in_flight += 1
        if opens and not (dead and scene.how != "hangs"):
            self._open(user)
        cause, taken_s = "", LATENCY_S * (0.5 + self._rng.random())
        if dead and scene.how == "refuses":
            cause = "connection refused" if opens else "connection reset"
        elif dead or self._rng.random() < scene.spread:
            cause, taken_s = "timeout", scene.timeout_s
        self._at(now_s + taken_s, partial(self._end, user, cause, taken_s))

    def _open(self, user: _User) -> None:
        self._port += 1
        endpoint = f"10.0.0.9:{self._port}" if self._scene.source is Source.CONNECTION_MAP else ""
        user.connection = self._counters.opened(endpoint)
        self._accepted[user.pod] += 1
        self._clients[user.pod].add(f"10.0.0.9:{self._port}")

    def _end(self, user: _User, cause: str, taken_s: float, now_s: float) -> None:
        self._in_flight -= 1
        connection, scene = user.connection, self._scene
        if cause:
            self._counters.unanswered(cause, taken_s, connection)
            user.failures += 1
            self._close(user)
            pause_s = min(BACKOFF_FIRST_S * 2 ** (user.failures - 1), BACKOFF_MOST_S)
        else:
            assert connection is not None
            name = user.pod.encode() if scene.source.traits.in_answers else b""
            self.answered[user.pod] += 1
            self._counters.answered(connection, self._counters.cell(name, 200), taken_s)
            user.failures = 0
            if connection.answers == scene.each:
                self._close(user)
            pause_s = scene.think_s
        self._at(now_s + pause_s, partial(self._send, user))

    def _close(self, user: _User) -> None:
        if user.connection is not None:
            self._counters.closed(user.connection)
            endpoint = user.connection.endpoint
            self._clients[user.pod].discard(endpoint)
        user.connection = None

    # -- the sources beside the load

    def _ready_pods(self, at_s: float) -> Sample:
        again = self._scene.restarts and at_s >= self._scene.to_s
        return PodsSample(at_s, tuple(PodSeen(name, restarts=int(again and name == DEAD)) for name in self._names))

    def _every_s(self) -> float:
        return EVERY_S.get(self._scene.source, 1.0)

    def _held_s(self, at_s: float) -> float:
        """How long a reading waits for a pod that does not answer; the others are read at once."""
        if self._scene.source is not Source.PROMETHEUS or not self._dead(DEAD, at_s) or self._scene.how == "refuses":
            return READ_S
        held_before, self._held = self._held, True
        return PATIENCE_S if held_before else PAGE_LIMIT_S

    def _read(self, at_s: float) -> Sample | None:
        source = self._scene.source
        if source.traits.in_answers:
            return None
        took_s = READ_S
        if source is Source.CONNECTION_MAP:
            clients = {name: tuple(sorted(of_pod)) for name, of_pod in self._clients.items()}
            return ConnectionsSample(at_s, clients, dict(self._accepted), took_s=took_s)
        counts = {name: n + int(self._scene.others * at_s) for name, n in self.answered.items()}
        if source is Source.ACCESS_LOG:
            return CountsSample(at_s, source, counts, lag_s=0.25)
        if not self._dead(DEAD, at_s):
            return CountsSample(at_s, source, counts, took_s=took_s)
        del counts[DEAD]
        problem = f"The counter of pod {DEAD} could not be read: timed out."
        return CountsSample(at_s, source, counts, unread=(DEAD,), took_s=took_s, problem=problem)
