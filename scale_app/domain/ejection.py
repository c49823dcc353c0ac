"""Pods that failed more than the others and then got nothing, though they were ready: a balancer ejects outliers so.

What counts are a pod's last answers before it got nothing: consecutive failures eject at once, a pod's rate of success
after an interval (10 s by default in Envoy). A few failures are enough, of however many answers. Failures that do not
name their pod, as where it refuses connections, are its own if they come when it stops, far fewer than its share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from scale_app.domain.mark import Mark, unserved_between
from scale_app.domain.samples import PodCount, TrafficSample
from scale_app.domain.work import FAILURES_TO_JUDGE, failing_pods

LOOKS_BACK_S = 2.0, 10.0
IDLE_FROM_S = 1.5
LEAST_DUE = 20.0
STOPS_WITHIN_S = 2.0
LOST_MOST = 0.5


@dataclass(frozen=True, slots=True)
class Ejection:
    """What one pod got since the load began. Times as those of samples.

    failed, requests: of its answers in so many seconds before it got nothing for the last time. since_s: when that
    was; until_s: when it got a request again, None for not yet. missed: requests that were due to it meanwhile, every
    time. times: how often that was. named: its failures named it; else `failed` are requests that no pod answered when
    it stopped.
    """

    failed: int
    requests: int
    seconds: float
    since_s: float
    until_s: float | None = None
    missed: float = 0.0
    times: int = 1
    named: bool = True


_Answers = tuple[int, int]
"""Failures, and all answers."""
_Last = tuple[int, int, float]
"""The same, and in how many seconds."""


@dataclass(slots=True)
class _Failing:
    """A pod that failed. answered: by this mark it did so last. ejection: the newest, None before any."""

    answered: Mark
    ejection: Ejection | None = None

    @property
    def idle(self) -> bool:
        return self.ejection is not None and self.ejection.until_s is None

    def missed(self, name: str, newest: Mark) -> float:
        return newest.expected.get(name, 0.0) - self.answered.expected.get(name, 0.0)


class Ejections:
    """Follows the pods whose answers name them and that fail; costs nothing while none does."""

    def __init__(self) -> None:
        self._failing: dict[str, _Failing] = {}
        self._newest: Mark | None = None

    def by_pod(self, began_s: float) -> dict[str, Ejection]:
        """Of each pod that was ever ejected, the last time, with what all of them cost it until now.

        Times are then seconds since began_s."""
        found = ((name, failing, failing.ejection) for name, failing in self._failing.items())
        return {name: self._told(name, failing, ejection, began_s) for name, failing, ejection in found if ejection}

    def _told(self, name: str, failing: _Failing, ejection: Ejection, began_s: float) -> Ejection:
        now = failing.missed(name, self._newest) if failing.idle and self._newest else 0.0
        until_s = None if ejection.until_s is None else ejection.until_s - began_s
        return replace(ejection, since_s=ejection.since_s - began_s, until_s=until_s, missed=ejection.missed + now)

    def observe(
        self, marks: Sequence[Mark], answered: Mapping[str, Mark], excused: Collection[str], named: bool
    ) -> None:
        """Take the newest of at least two marks.

        answered: {pod: by which mark it answered last}. excused: pods that begin anew or begin to end. named: answers
        name their pods.
        """
        before, newest = marks[-2], marks[-1]
        self._newest = newest
        for name in excused:
            self._failing.pop(name, None)
        if newest.sample.errors != before.sample.errors:
            self._note_failures(before, newest, excused)
        stopped = [name for name, failing in self._failing.items() if self._stopped(name, failing, before, newest)]
        for name, last in self._outliers(stopped, marks).items():
            self._failing[name].ejection = _next(self._failing[name], last)
        if unserved_between(marks[0].sample, newest.sample, named):
            self._note_unnamed(marks, answered, named)

    def _note_unnamed(self, marks: Sequence[Mark], answered: Mapping[str, Mark], named: bool) -> None:
        for name, last in answered.items():
            failing = self._failing.get(name) or _Failing(last)
            if not failing.idle and _lost_few(name, last, marks, named):
                lost = unserved_between(_before(last, marks), _after(last, marks), named)
                failing.answered = last
                failing.ejection = replace(_next(failing, (lost, lost, STOPS_WITHIN_S)), named=False)
                self._failing[name] = failing

    def _note_failures(self, before: Mark, newest: Mark, excused: Collection[str]) -> None:
        for name, count in newest.sample.pods.items():
            then = before.sample.pods.get(name)
            if count.failures > (then.failures if then else 0) and name not in excused:
                self._failing.setdefault(name, _Failing(newest))

    def _stopped(self, name: str, failing: _Failing, before: Mark, newest: Mark) -> bool:
        """True for a pod that has got nothing for so long that it may have been ejected, and is not known to be."""
        count, then = newest.sample.pods.get(name), before.sample.pods.get(name)
        if count and count.requests != (then.requests if then else 0):
            if failing.ejection and failing.idle:
                missed = failing.ejection.missed + failing.missed(name, before)
                failing.ejection = replace(failing.ejection, until_s=newest.sample.at_s, missed=missed)
            failing.answered = newest
        idle_s = newest.sample.at_s - failing.answered.sample.at_s
        return not failing.idle and idle_s >= IDLE_FROM_S and failing.missed(name, newest) >= LEAST_DUE

    def _outliers(self, stopped: Iterable[str], marks: Sequence[Mark]) -> dict[str, _Last]:
        """Those of them that failed more than the others when they got something last, with what they did then."""
        at_once = dict[float, list[str]]()
        for name in stopped:
            at_once.setdefault(self._failing[name].answered.sample.at_s, []).append(name)
        found = dict[str, _Last]()
        for names in at_once.values():
            for seconds in LOOKS_BACK_S:
                more = _failing_more(self._failing[names[0]].answered, marks, seconds)
                found = {name: (*more[name], seconds) for name in names if name in more} | found
        return found


def _next(failing: _Failing, last: _Last) -> Ejection:
    before, since_s = failing.ejection, failing.answered.sample.at_s
    if before is None:
        return Ejection(*last, since_s)
    return Ejection(*last, since_s, missed=before.missed, times=before.times + 1)


def _failing_more(answered: Mark, marks: Sequence[Mark], seconds: float) -> dict[str, _Answers]:
    """What those pods did in the last seconds before the mark that failed more than the others.

    Since the load began where the marks do not reach back so far."""
    at_s = answered.sample.at_s
    first = next((mark for mark in marks if at_s - seconds <= mark.sample.at_s < at_s), None)
    then = first.sample.pods if first else {}
    last = {name: _gained(count, then.get(name)) for name, count in answered.sample.pods.items()}
    failed, requests = zip(*last.values(), strict=True)
    more = failing_pods(failed, requests, least_part=0.0).tolist()
    return {name: last[name] for name, fails in zip(last, more, strict=True) if fails}


def _gained(now: PodCount, then: PodCount | None) -> _Answers:
    if then is None or now.requests < then.requests:
        return now.failures, now.requests
    return now.failures - then.failures, now.requests - then.requests


def _lost_few(name: str, answered: Mark, marks: Sequence[Mark], named: bool) -> bool:
    """True when requests were lost as this pod got its last one, not before, and then far fewer than were due to it."""
    newest, at_s = marks[-1], answered.sample.at_s
    due = newest.expected.get(name, 0.0) - answered.expected.get(name, 0.0)
    if newest.sample.at_s < at_s + STOPS_WITHIN_S or due < LEAST_DUE or at_s < marks[0].sample.at_s:
        return False
    before, after = _before(answered, marks), _after(answered, marks)
    earlier = next(
        mark.sample for mark in marks if mark.sample is before or mark.sample.at_s >= at_s - LOOKS_BACK_S[-1]
    )
    lost = unserved_between(before, after, named)
    had_been = unserved_between(earlier, before, named)
    since = unserved_between(before, newest.sample, named)
    return lost >= FAILURES_TO_JUDGE and had_been < LOST_MOST * lost and since <= LOST_MOST * due


def _before(answered: Mark, marks: Sequence[Mark]) -> TrafficSample:
    """The sample before that mark."""
    earlier = (mark.sample for mark in reversed(marks) if mark.sample.at_s < answered.sample.at_s)
    return next(earlier, answered.sample)


def _after(answered: Mark, marks: Sequence[Mark]) -> TrafficSample:
    """The sample at which what it was sent last has been answered."""
    return next(mark.sample for mark in marks if mark.sample.at_s >= answered.sample.at_s + STOPS_WITHIN_S)
