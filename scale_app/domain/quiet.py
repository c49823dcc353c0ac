"""Pods that answered and have stopped, while requests get no answer: what has happened since is looked at by itself."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from scale_app.domain.counters import NOTHING
from scale_app.domain.mark import NO_LOADS, Mark, answered_since, unserved_between
from scale_app.domain.picks import BY_REQUEST_FROM, ConnectionCounters
from scale_app.domain.source import Source
from scale_app.domain.unanswered import LEAST_LOST

QUIET_FROM_S = 3.0
LEAST_DUE = 5.0
HELD_WITHIN_S = 6.0
ANSWERS_TO_TELL_HELD = 20
ROUNDED_UP_FROM = 0.75


@dataclass(slots=True)
class Quiet:
    """Pods that answered last by the mark `since`. connections: all that were in use since then.

    before: a moment earlier; what was lost from then on may be theirs. until: the mark before `since`; earlier: some
    seconds before that.
    """

    since: Mark
    before: Mark
    until: Mark
    earlier: Mark
    pods: set[str]
    connections: ConnectionCounters

    def starts(self, pods: Iterable[str], freshness: float, source: Source) -> int:
        """How often these pods had been picked until then: at each pick such a silence could have begun."""
        sample, by_request = self.since.sample, freshness >= BY_REQUEST_FROM
        if source.traits.in_answers:
            counts = [sample.pods[name] for name in pods if name in sample.pods]
            return max((each.requests if by_request else each.connections for each in counts), default=1) or 1
        counted = self.since.counted.get(source, NOTHING).requests
        answers = max((counted.get(name, 0) for name in pods), default=0)
        return max(1, round(answers if by_request else answers * sample.connections / max(1, sample.answered)))

    def log_all_silent(self, pods: Collection[str], newest: Mark, source: Source) -> float:
        """Evidence that connections fell silent because of one of these pods, the surest, against silence anywhere.

        Of n connections m have carried no answer since; that all h of one pod are among them has the probability
        C(m, h) / C(n, h) by chance (hypergeometric distribution). One that waits in vain is silent before it ends:
        where any pod's requests are lost, one whose connections went one by one is not alone with such. h is told by
        the answers up to the second of its last one.
        """
        now, then = (newest.sample.loads or NO_LOADS).long, (self.since.sample.loads or NO_LOADS).long
        open_then = [each for each, answers in (self.before.sample.loads or NO_LOADS).long.items() if answers]
        silent = sum(each not in now or now[each] == then.get(each) for each in open_then)
        names = newest.expected.keys()
        answers = answered_since(names, self.earlier, self.until.sample, self.until.counted, source)
        total = sum(answers.values())
        held = [
            math.floor(answers.get(name, 0) / total * len(open_then) + 1 - ROUNDED_UP_FROM)
            for name in pods
            if answers.get(name, 0) >= ANSWERS_TO_TELL_HELD
        ]
        return max(
            (_log_chosen(each, len(open_then)) - _log_chosen(each, silent) for each in held if each <= silent),
            default=0.0,
        )


def _log_chosen(some: int, of: int) -> float:
    """Of the ways to choose some."""
    return math.lgamma(of + 1) - math.lgamma(some + 1) - math.lgamma(of - some + 1)


class QuietPods:
    """followed: those that are quiet now. answered: {pod: by which mark it answered last}"""

    def __init__(self) -> None:
        self.followed: list[Quiet] = []
        self.answered: dict[str, Mark] = {}

    def observe(self, marks: Sequence[Mark], got: Mapping[str, int], named: bool, excused: Collection[str]) -> None:
        """Take the newest of these marks, which reach back a minute.

        got: by pod, what it answered since the one before. named: answers name their pods. excused: pods that have
        begun anew or begin to end: what they did before is no evidence any more, since their connections are gone.
        """
        newest = marks[-1]
        answering = {name for name, requests in got.items() if requests > 0}
        self.answered.update(dict.fromkeys(answering, newest))
        for name in excused:
            self.answered.pop(name, None)
        for quiet in self.followed:
            quiet.pods -= answering | set(excused)
            quiet.connections.observe(newest.sample.loads or NO_LOADS)
        self.followed = [quiet for quiet in self.followed if quiet.pods]
        known = {name for quiet in self.followed for name in quiet.pods}
        for name, last in self.answered.items():
            if name in known or not _is_quiet(name, last, newest):
                continue
            before = _before(last, marks, named)
            if unserved_between(before.sample, newest.sample, named) >= LEAST_LOST:
                self._follow(name, before, last, marks)

    def _follow(self, name: str, before: Mark, since: Mark, marks: Sequence[Mark]) -> None:
        for quiet in self.followed:
            if quiet.since is since:
                quiet.pods.add(name)
                return
        earlier = next(mark for mark in marks if mark is before or _at_s(mark) >= _at_s(since) - HELD_WITHIN_S)
        until = next((mark for mark in reversed(marks) if _at_s(mark) < _at_s(since)), since)
        connections = ConnectionCounters(since.sample.loads or NO_LOADS)
        for mark in marks:
            if mark.sample.at_s > since.sample.at_s:
                connections.observe(mark.sample.loads or NO_LOADS)
        self.followed.append(Quiet(since, before, until, earlier, {name}, connections))


def _is_quiet(name: str, since: Mark, newest: Mark) -> bool:
    due = newest.expected.get(name, 0.0) - since.expected.get(name, 0.0)
    return _at_s(newest) - _at_s(since) >= QUIET_FROM_S and due >= LEAST_DUE


def _before(since: Mark, marks: Sequence[Mark], named: bool) -> Mark:
    """The mark before; where others count, what is in a mark was counted a reading or two before it."""
    earlier = [mark for mark in marks if _at_s(mark) < _at_s(since)]
    if named:
        return earlier[-1] if earlier else since
    return next((mark for mark in earlier if _at_s(mark) >= _at_s(since) - QUIET_FROM_S), since)


def _at_s(mark: Mark) -> float:
    return mark.sample.at_s
