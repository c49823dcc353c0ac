"""What each pod got between two moments, by a source that is read beside the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scale_app.domain.attribution import Counted
from scale_app.domain.samples import PodCount
from scale_app.domain.source import Source

NOTHING = Counted()


@dataclass(frozen=True, slots=True)
class Gained:
    """pods: by name. due: answers that the counts should hold, those of the time that they are of; most: what they may
    hold of ours, since a pod may have counted what nobody got. estimated: they are estimates."""

    pods: Mapping[str, PodCount]
    due: float
    most: float
    estimated: bool = False


def gained_beside(source: Source, first: Mapping[Source, Counted], last: Mapping[Source, Counted]) -> Gained:
    """The difference of two moments. A source that had not counted at the first one is behind by what was missed."""
    then, now = first.get(source, NOTHING), last.get(source, NOTHING)
    counts = {pod: max(0, count - then.requests.get(pod, 0)) for pod, count in now.requests.items()}
    due, most = max(0.0, now.answered - then.answered), max(0.0, now.ended - then.ended)
    if source is Source.NETWORK:
        counts = _shared_out(counts, due)
    pods = {
        pod: PodCount(count, 0, max(0, now.connections.get(pod, 0) - then.connections.get(pod, 0)))
        for pod, count in counts.items()
    }
    return Gained(pods, due, most, now.estimated)


def _shared_out(byte_counts: Mapping[str, int], requests: float) -> dict[str, int]:
    """Requests in proportion to the bytes that each pod received."""
    total = sum(byte_counts.values())
    return {pod: round(requests * count / total) if total else 0 for pod, count in byte_counts.items()}
