"""What changed around the pods of a target: workloads scaled, nodes, the Service's settings, the watch itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from scale_app.domain.events import ClusterChange, ClusterChanged
from scale_app.domain.samples import PodsSample
from scale_app.domain.service_settings import ServiceSettings

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
        if self._lost:
            return []
        self._lost = True
        return [ClusterChanged(at_s, "cluster", "watch_lost", problem)]


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
    if not isinstance(value, Mapping):
        return f"{words} is now {value}"
    entries = ", ".join(
        f"{key}: {part:g}" if isinstance(part, float) else f"{key}: {part}" for key, part in value.items()
    )
    return f"{words} are now {entries or 'none'}"
