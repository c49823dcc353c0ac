"""Which pods should have shared the work: who was ready when, and how many requests each could expect.

A pod expects, in every interval between two samples, the interval's requests times its part of the ready time.
So a pod that joined half-way, during a ramp or just before a kill, is judged by the traffic it could have got.

Balancers learn of a change late. A pod that became ready or began to end (`Grace`) expects what it gets, no more and no
less, and the others the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.events import ClusterChange, ClusterChanged, PodChange
from scale_app.domain.grace import Grace, Late
from scale_app.domain.rise import Rise
from scale_app.domain.samples import PodSeen, PodsSample, PodUsage
from scale_app.domain.weights import weights_of

STRANGERS = (
    "No pod that answered belongs to the watched Service, which may be a proxy's. Name the Service of the pods in the "
    "plan (service)."
)

Change = tuple[str, PodChange, str]
"""A pod's name, what changed, and more about it in words."""


class Roster:
    """The pods of a target over time. Without any PodsSample it knows none, and every pod that answers counts.

    declared: see weights.py; of a pod without one its own weight counts.
    """

    def __init__(self, declared: Mapping[str, float] | None = None) -> None:
        self.declared = declared or {}
        self._pods: dict[str, PodSeen] = {}
        self._ready_s: dict[str, float] = {}
        self._counted_to_s: float | None = None
        self.known = False
        self.service: ServiceSettings | None = None
        self.usage: Mapping[str, PodUsage] = {}
        self.problem = ""
        self._replaced: set[str] = set()
        self._grace = Grace()

    def observe(self, sample: PodsSample) -> list[Change]:
        """Take note of the pods listed now; what changed since the last list, joined pods first."""
        self._count_ready_time(sample.at_s)
        new = {pod.name: pod for pod in sample.pods}
        changes = self._changes(new) if self.known else []
        for name, change, _ in changes:
            self._grace.changed(sample.at_s, name, change, new.get(name))
        self._pods, self.known, self.service = new, True, sample.service
        self.usage = sample.usage or {}
        self.problem = sample.missing
        return changes

    def lost(self, problem: str) -> None:
        """The pods cannot be seen now; those listed last stand. problem: a sentence that says so."""
        self.problem = problem

    def problem_of(self, of_those_that_answer: bool) -> str:
        """What of the target's pods cannot be seen. of_those_that_answer: the pods listed here are theirs."""
        return self.problem or (STRANGERS if self.known and not of_those_that_answer else "")

    @property
    def in_grace(self) -> frozenset[str]:
        """Pods of which nothing is expected yet, or any more."""
        return self._grace.pods

    @property
    def late(self) -> Mapping[str, Late]:
        """Pods that came and did not get their share while patience lasted, and those that have not got it yet."""
        return self._grace.late

    @property
    def rises(self) -> Mapping[str, Rise]:
        """How pods that came in mid-run got their share since."""
        return self._grace.rises

    @property
    def arriving(self) -> int:
        """How many pods became ready so lately that nothing is expected of them."""
        return self._grace.arriving

    def expect(self, at_s: float, requests: int, got: Mapping[str, int] | None = None) -> dict[str, float]:
        """Expected requests per pod for the interval that ends at `at_s`; begins the next interval.

        got: what each pod that is in grace, late or rises answered in the interval.
        """
        self._count_ready_time(at_s)
        ready_s, self._ready_s = self._ready_s, {}
        due = _shared(requests, ready_s)
        excused = self._grace.excused(at_s, got or {}, due)
        rest = max(0, requests - sum(excused.values()))
        return {**_shared(rest, {pod: s for pod, s in ready_s.items() if pod not in excused}), **excused}

    def pod(self, name: str) -> PodSeen:
        """The pod as listed last; one that is not listed is not ready."""
        return self._pods.get(name) or PodSeen(name, ready=not self.known)

    def weights(self, pods: Collection[str]) -> dict[str, float]:
        """How much each of these pods, which share the work, should get relative to the others."""
        return {name: self.pod(name).weight for name in pods} | weights_of(pods, self.declared)

    @property
    def balancer_weights(self) -> Mapping[str, float]:
        """That the balancer gives the pods as far as the Service's settings say, {} when unknown."""
        return self.service.weights if self.service else {}

    def relative(self, weights: Mapping[str, float]) -> dict[str, float]:
        """These weights of pods, each over the one that makes its fair share."""
        fair = self.weights(weights)
        return {name: weight / fair[name] for name, weight in weights.items() if fair[name] > 0}

    def listed(self) -> Mapping[str, PodSeen]:
        return self._pods

    def _changes(self, new: Mapping[str, PodSeen]) -> list[Change]:
        old = self._pods
        joined: list[Change] = [(name, "joined", self._why(pod, new)) for name, pod in new.items() if name not in old]
        left: list[Change] = [(name, "left", "") for name in old if name not in new]
        turned = [change for name, pod in new.items() if name in old for change in _turned(old[name], pod)]
        return joined + turned + left

    def _why(self, pod: PodSeen, new: Mapping[str, PodSeen]) -> str:
        """Where a new pod is, and which ending one of the same owner it stands in for."""
        for name, before in self._pods.items():
            ending = name not in new or new[name].terminating
            if pod.owner and before.owner == pod.owner and ending and (name + before.uid) not in self._replaced:
                self._replaced.add(name + before.uid)
                return ", ".join(part for part in (_on(pod), f"in place of {name}") if part)
        return _on(pod)

    def _count_ready_time(self, at_s: float) -> None:
        since_s = at_s if self._counted_to_s is None else self._counted_to_s
        span_s = max(0.0, at_s - since_s)
        if span_s:
            for name, weight in self.weights([pod.name for pod in self._pods.values() if pod.ready]).items():
                self._ready_s[name] = self._ready_s.get(name, 0.0) + span_s * weight
        self._counted_to_s = since_s + span_s


def _shared(requests: float, ready_s: Mapping[str, float]) -> dict[str, float]:
    total_s = sum(ready_s.values())
    return {pod: requests * seconds / total_s for pod, seconds in ready_s.items()} if total_s else {}


def _turned(old: PodSeen, new: PodSeen) -> list[Change]:
    changes: list[Change] = []
    if old.uid and new.uid and old.uid != new.uid:
        changes.append((new.name, "replaced", _on(new)))
    elif new.restarts > old.restarts:
        changes.append((new.name, "restarted", f"restart {new.restarts}"))
    if new.terminating and not old.terminating:
        changes.append((new.name, "terminating", ""))
    if new.ready != old.ready:
        changes.append((new.name, "ready" if new.ready else "unready", ""))
    return changes


def _on(pod: PodSeen) -> str:
    return f"on node {pod.node}" if pod.node else ""


Told = tuple[str, ClusterChange, str]
"""Subject, change, detail."""


class Surroundings:
    """Compares each list of pods with the one before. Times (at_s) are seconds since the run's start."""

    def __init__(self) -> None:
        self._last: PodsSample | None = None
        self._lost = False

    def observe(self, at_s: float, sample: PodsSample) -> list[ClusterChanged]:
        """What changed since the sample before."""
        old, self._last = self._last, sample
        back = [ClusterChanged(at_s, "cluster", "watch_back")] if self._lost else []
        self._lost = False
        return back + ([ClusterChanged(at_s, *told) for told in _told(old, sample)] if old else [])

    def lost(self, at_s: float, problem: str) -> list[ClusterChanged]:
        """The pods cannot be watched; told once, however often they are missed."""
        told, self._lost = self._lost, True
        return [] if told else [ClusterChanged(at_s, "cluster", "watch_lost", problem)]


def _told(old: PodsSample, new: PodsSample) -> Iterator[Told]:
    yield from _scaled(old.replicas, new.replicas)
    yield from _nodes(old.nodes, new.nodes)
    yield from _settings(old.service, new.service)


def _scaled(old: Mapping[str, int] | None, new: Mapping[str, int] | None) -> Iterator[Told]:
    for name, wanted in (new or {}).items():
        before = (old or {}).get(name, wanted)
        if wanted != before:
            yield name, "scaled", f"from {before} to {wanted} pods"


def _nodes(old: Mapping[str, bool] | None, new: Mapping[str, bool] | None) -> Iterator[Told]:
    if old is None or new is None:
        return
    for node in sorted({*old, *new}):
        if node not in new:
            yield node, "node_left", ""
        elif node not in old:
            yield node, "node_joined", ""
        elif old[node] != new[node]:
            yield node, "node_ready" if new[node] else "node_unready", ""


def _settings(old: ServiceSettings | None, new: ServiceSettings | None) -> Iterator[Told]:
    if old is None or new is None or old == new:
        return
    changed = [field.name for field in fields(new) if getattr(old, field.name) != getattr(new, field.name)]
    yield "Service", "settings", ", ".join(_setting(name, getattr(new, name)) for name in changed)


def _setting(name: str, value: object) -> str:
    """A setting as a sentence's part. A mapping is told entry by entry, for people read no dictionaries."""
    words = name.replace("_", " ")
    if isinstance(value, tuple):
        return f"{words} is now {'; '.join(map(str, value)) or 'none'}"
    if not isinstance(value, Mapping):
        return f"{words} is now {value}"
    parts = {key: f"{part:.10g}" if isinstance(part, float) else part for key, part in value.items()}
    entries = ", ".join(f"{key}: {part}" for key, part in parts.items())
    return f"{words} are now {entries or 'none'}"
