"""Pods that answered and have stopped, while requests get no answer: what has happened since is looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scale_app.domain.mark import NO_LOADS, Mark, unserved_between
from scale_app.domain.picks import ConnectionCounters
from scale_app.domain.unanswered import LEAST_LOST

QUIET_FROM_S = 3.0
LEAST_DUE = 5.0
BY_REQUEST_FROM = 0.5


@dataclass(slots=True)
class Quiet:
    """Pods that answered last by this mark. connections: all that were in use since."""

    since: Mark
    pods: set[str]
    connections: ConnectionCounters

    def starts(self, pods: Iterable[str], freshness: float) -> int:
        """How often these pods had been picked until then: at each pick such a silence could have begun."""
        counts = [self.since.sample.pods[name] for name in pods if name in self.since.sample.pods]
        by_request = freshness >= BY_REQUEST_FROM
        return max((each.requests if by_request else each.connections for each in counts), default=1) or 1


class QuietPods:
    """followed: those that are quiet now."""

    def __init__(self) -> None:
        self.followed: list[Quiet] = []
        self._answered: dict[str, Mark] = {}

    def observe(self, marks: Sequence[Mark], got: Mapping[str, int], named: bool) -> None:
        """Take the newest of these marks, which reach back a minute.

        got: by pod, what it answered since the one before. named: answers name their pods.
        """
        newest = marks[-1]
        answering = {name for name, requests in got.items() if requests > 0}
        self._answered.update(dict.fromkeys(answering, newest))
        for quiet in self.followed:
            quiet.pods -= answering
            quiet.connections.observe(newest.sample.loads or NO_LOADS)
        self.followed = [quiet for quiet in self.followed if quiet.pods]
        known = {name for quiet in self.followed for name in quiet.pods}
        for name, mark in self._answered.items():
            if name not in known and _is_quiet(name, mark, newest, named):
                self._follow(name, mark, marks)

    def _follow(self, name: str, since: Mark, marks: Sequence[Mark]) -> None:
        for quiet in self.followed:
            if quiet.since is since:
                quiet.pods.add(name)
                return
        connections = ConnectionCounters(since.sample.loads or NO_LOADS)
        for mark in marks:
            if mark.sample.at_s > since.sample.at_s:
                connections.observe(mark.sample.loads or NO_LOADS)
        self.followed.append(Quiet(since, {name}, connections))


def _is_quiet(name: str, since: Mark, newest: Mark, named: bool) -> bool:
    return (
        newest.sample.at_s - since.sample.at_s >= QUIET_FROM_S
        and newest.expected.get(name, 0.0) - since.expected.get(name, 0.0) >= LEAST_DUE
        and unserved_between(since.sample, newest.sample, named) >= LEAST_LOST
    )
