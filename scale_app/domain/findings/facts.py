"""Everything that diagnosis may look at, in one place; a cause, with figures in its sentences."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.ejection import Ejection
from scale_app.domain.events import PodChanged
from scale_app.domain.grace import Late
from scale_app.domain.histogram import bucket_ms
from scale_app.domain.picks import BY_REQUEST_FROM
from scale_app.domain.plan import LoadPlan
from scale_app.domain.rise import Steady
from scale_app.domain.samples import GeneratorHealth, PodSeen
from scale_app.domain.snapshot import MOST_PODS_NAMED, Certainty, Explains, Finding, PodShare, Source
from scale_app.domain.unanswered import Silent
from scale_app.domain.verdict_sentence import count
from scale_app.domain.window import Figures

DUE_TO_JUDGE = 20.0
STARVED_BELOW = 0.1
LONG_FROM = 20.0
PINNED_BELOW = 0.1
NONE_PINNED_FROM = 0.9
SENT_AGAIN_S, ANSWERED_WITHIN_S = range(1, 8), 0.5
"""When a first packet may be sent again, in whole seconds after it, and the answer's own time. Linux sends it again
after 1, 3 and 7 s, and from 6.5 on after 1, 2, 3 and 4 s (net.ipv4.tcp_syn_linear_timeouts)."""
EARLIER = 0.98
"""A histogram's bucket may begin a little before the time that is meant."""
PICKED_ALONE_BELOW, GREW_FROM = 1.5, math.log(100)
MISSED_FROM, HELD_MOST, PICKS_MISSED = 0.5, 1.5, 10.0
AGAIN_WITHIN, AGAIN_LEAST, AGAIN_OF_SLOW = 0.4, 10, 0.8


@dataclass(frozen=True)
class Facts:
    """One run at one second, as diagnosis sees it. Without slots, so that what several findings ask is computed once.

    rows: one per pod that answered, could have answered, or is listed. listed: the pods that the cluster lists now.
    changes: pods that joined, left or changed readiness, oldest first, bounded by the run.
    late: pods that came and did not get their share while patience with them lasted, see Grace.
    service: the Service's settings, None when unknown.
    health: of the generator at the last samples, newest last.
    excess: {pod name: requests that it counted beyond ours}, None when the pods' own counts are unknown.
    others: requests of other clients at all the pods together, None when that cannot be told.
    errors: {cause: requests} that ended badly, since the start.
    """

    plan: LoadPlan
    source: Source
    figures: Figures
    rows: tuple[PodShare, ...]
    listed: Mapping[str, PodSeen] = field(default_factory=dict)
    elapsed_s: float = 0.0
    changes: tuple[PodChanged, ...] = ()
    late: Mapping[str, Late] = field(default_factory=dict)
    service: ServiceSettings | None = None
    health: tuple[GeneratorHealth, ...] = ()
    excess: Mapping[str, int] | None = None
    others: int | None = None
    errors: Mapping[str, int] = field(default_factory=dict)

    @property
    def silent(self) -> Silent | None:
        """Ready pods whose silence explains what was not answered; None for none."""
        return self.figures.silent

    @property
    def settled(self) -> bool:
        """True when a setting that is known decides who gets work, so that nothing need be inferred."""
        weighted = len(set(self.figures.recent.weights.values())) > 1
        return weighted or (self.service is not None and self.service.narrows)

    @cached_property
    def explained(self) -> frozenset[str]:
        """Pods whose share has another reason than the balancer's choice, and so what the others get beyond theirs:
        they are silent, were ejected, came when connections were open already, or were taken up late or slowly."""
        came = (change.pod for change in self.changes if change.change in ("joined", "ready"))
        slowly = (*self.taken_up_late, *self.taken_up_slowly)
        return frozenset((*self.silent_pods, *self.ejected, *(came if self.some_pinned else slowly)))

    @cached_property
    def ejected(self) -> tuple[str, ...]:
        """Pods that get nothing since they failed, or lack what they missed while it was so; sorted.

        Where connections keep to their pod, one without any fails no more and gets none."""
        ejections = self.figures.ejections
        if not ejections or self.long_lived or self.settled:
            return ()
        lacks = {row.name: (row.expected or 0.0) - row.requests for row in self.rows if row.outlier}
        found = (
            name
            for name, each in ejections.items()
            if (self._left_out(each) if each.until_s is None else each.missed >= MISSED_FROM * lacks.get(name, 0.0) > 0)
        )
        return tuple(sorted(set(found).difference(self.silent_pods)))

    def _left_out(self, ejection: Ejection) -> bool:
        """It cannot hold what it does not answer: each user waits for one answer, and none for longer than allowed."""
        picks = ejection.missed / (1.0 if self.by_request else max(1.0, self.requests_each or 1.0))
        waited = self.elapsed_s - ejection.since_s > self.plan.timeout_s + 1
        by_user = self.plan.arrivals_per_s is None and ejection.missed > HELD_MOST * self.plan.users
        return picks >= PICKS_MISSED and (waited or by_user)

    @cached_property
    def taken_up_late(self) -> tuple[str, ...]:
        """Pods that came and got next to nothing until their patience was over, or get nothing to this moment; sorted.

        Not those that answer nothing."""
        starved = self.starved()
        late = (name for name, late in self.late.items() if late.idle and (late.taken_s is not None or name in starved))
        return tuple(sorted(name for name in late if name not in self.silent_pods))

    @cached_property
    def taken_up_slowly(self) -> Mapping[str, Steady]:
        """Pods that came and lack much, since their share grew steadily; not more than can be named are looked at.

        Only where each request, or each connection for one, is a pick: else shares grow as connections are renewed."""
        rises = self.figures.rises
        if not rises or not (self.by_request or (self.requests_each or math.inf) < PICKED_ALONE_BELOW):
            return {}
        others = {*self.silent_pods, *self.taken_up_late}
        low = [row for row in self.rows if row.outlier and row.against_fair < 0 and not row.slow and row.name in rises]
        low = sorted((row for row in low if row.name not in others), key=lambda row: row.against_fair)
        pods, picks = len(self.figures.recent.expected), (self.figures.verdict.effective_picks or 0.0)
        picks /= self.figures.whole.attributed or 1
        grew = {row.name: rises[row.name].steady(pods, min(1.0, picks)) for row in low[:MOST_PODS_NAMED]}
        return {name: steady for name, steady in grew.items() if steady and steady.log_one_jump >= GREW_FROM}

    @property
    def silent_pods(self) -> tuple[str, ...]:
        return self.silent.pods if self.silent else self.avoided[0]

    @cached_property
    def avoided(self) -> tuple[tuple[str, ...], int]:
        """Ready pods without an answer, and how many answers were late by as much as a packet that is sent again; none
        unless the two fit. Where a node drops a connection's first packet before it has noted where it goes, the next
        one may go to another pod, so that no request is lost.
        """
        unasked = ((row.name, row.expected or 0.0) for row in self.rows if not row.requests)
        idle = {name: due for name, due in unasked if due >= DUE_TO_JUDGE}
        share = sum(idle.values()) / (self.figures.whole.attributed or 1)
        due = share * (self.figures.verdict.effective_picks or 0.0)
        times = self._times_sent_again()
        again, slow = sum(times[second] for second in SENT_AGAIN_S), times.total()
        fits = idle and abs(again - due) <= max(AGAIN_WITHIN * due, 3 * math.sqrt(due)) and again >= AGAIN_LEAST
        others = times[SENT_AGAIN_S[0]] >= AGAIN_OF_SLOW * (1.0 - share) * slow  # which take most of them at once
        return (tuple(idle), again) if fits and others and again >= AGAIN_OF_SLOW * slow else ((), 0)

    def _times_sent_again(self) -> Counter[int]:
        """Slow answers by the second of SENT_AGAIN_S after which they came; 0 for those at other times."""
        times: Counter[int] = Counter()
        for bucket, answers in self.figures.whole.latency.counts.items():
            late_s = bucket_ms(bucket) / (1_000 * EARLIER)
            if late_s >= SENT_AGAIN_S[0]:
                times[int(late_s) if int(late_s) in SENT_AGAIN_S and late_s % 1 < ANSWERED_WITHIN_S else 0] += answers
        return times

    @property
    def connections(self) -> int | None:
        """Connections that carried a request since the start, None when unknown."""
        loads = self.figures.whole.loads
        return sum(loads.values()) if loads else None

    @property
    def requests_each(self) -> float | None:
        """Requests per connection since the start, None when connections are unknown."""
        loads = self.figures.whole.loads
        return sum(carried.requests * n for carried, n in loads.items()) / sum(loads.values()) if loads else None

    @property
    def long_lived(self) -> bool:
        """True when connections carry so many requests that new ones hardly ever come."""
        return self._kept and not self.by_request

    @property
    def some_pinned(self) -> bool:
        """True when connections are so long, and some of them keep to their pod."""
        return self._kept and self.figures.whole.freshness < NONE_PINNED_FROM * self._at_once

    @property
    def _at_once(self) -> float:
        """How often a pick of its own changes the pod, over how often it would if all pods of the run had been there
        together: pods that were replaced were not."""
        ready, ever = sum(pod.ready for pod in self.listed.values()), len(self.figures.whole.expected)
        return (1 - 1 / ready) / (1 - 1 / ever) if 1 < ready < ever else 1.0

    @property
    def _kept(self) -> bool:
        return self.plan.requests_per_connection is None or (self.requests_each or 0.0) >= LONG_FROM

    @property
    def by_request(self) -> bool:
        """True when kept connections do not pin their requests to a pod, or only few of them."""
        return self.figures.whole.freshness >= BY_REQUEST_FROM

    def node_of(self, name: str) -> str:
        """Where a listed pod is, "" when unknown."""
        return self.listed[name].node if name in self.listed else ""

    def zone_of(self, name: str) -> str:
        """Where a listed pod is, "" when unknown."""
        return self.listed[name].zone if name in self.listed else ""

    def due(self, names: Iterable[str] | None = None) -> dict[str, float]:
        """Requests that each pod (all eligible ones by default) should have got in the recent window."""
        window = self.figures.recent
        total, attributed = sum(window.expected.values()), window.attributed
        wanted = window.expected if names is None else names
        return {name: attributed * window.expected[name] / total for name in wanted if name in window.expected}

    def starved(self) -> list[str]:
        """Pods that got less than a tenth of the requests due to them in the recent window, though requests to them
        are answered; sorted."""
        pods = self.figures.recent.pods
        return sorted(
            name
            for name, due in self.due().items()
            if name not in self.silent_pods and due >= DUE_TO_JUDGE and pods[name].requests < STARVED_BELOW * due
        )

    def top(self) -> tuple[str, float]:
        """The pod with the most requests in the recent window and its part of them; "" and 0 without any."""
        pods, attributed = self.figures.recent.pods, self.figures.recent.attributed
        if not attributed:
            return "", 0.0
        name = max(pods, key=lambda pod: pods[pod].requests)
        return name, pods[name].requests / attributed


class Found(NamedTuple):
    """What the facts show of one cause. evidence: with this run's numbers. The rest: see Finding."""

    certainty: Certainty
    evidence: str
    pods: Iterable[str] = ()
    explains: Explains = "uneven"


Look = Callable[[Facts], Found | None]
"""Pure; None when the facts do not show the cause. Raises nothing."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of uneven work. shown_by: the figures that are the evidence, for the docs. The rest: see Finding."""

    look: Look
    code: str
    title: str
    cause: str
    shown_by: str
    remedy: str
    patch: str = ""

    def find(self, facts: Facts) -> Finding | None:
        """The finding when the facts show it."""
        if (found := self.look(facts)) is None:
            return None
        named = tuple(found.pods)[:MOST_PODS_NAMED]
        texts = (self.code, self.title, self.cause, found.evidence, found.certainty, self.remedy, self.patch)
        return Finding(*texts, named, found.explains)


def cause(**texts: str) -> Callable[[Look], Cause]:
    """The cause with these texts that a function looks for. texts: fields of Cause."""
    return lambda look: Cause(look, **texts)


def change(part: float) -> str:
    """A difference as a percentage with its sign."""
    return f"{part * 100:+.0f} %"


def percent(share: float) -> str:
    """A share (0..1) as people read it."""
    return f"{share * 100:.0f} %" if share >= 0.1 or share == 0 else f"{share * 100:.2g} %"


def pods(names: Sequence[str]) -> str:
    """Names, or how many there are when they would fill the line."""
    return " and ".join(names) if 0 < len(names) <= 2 else count(len(names), "pod")
