"""When pods answered, where nobody tells which should: what was due to each of them meanwhile.

A pod that joins is due nothing before its first answer, and one that leaves nothing after its last. Whether one that is
quiet has left is unknown, so what would have been due to it is kept back until it answers again. Of one that answers
late it is unknown whether it has joined, so that only what it gets from then on is evidence: picks that are independent
of when the first one was.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from scale_app.domain.numerics import Array, np
from scale_app.domain.weights import group_of


@dataclass(slots=True)
class _Span:
    """The intervals in which a pod shared the work. joined: its answers in the one before, of which it saw a part."""

    first: int
    last: int
    joined: int = 0


class Answering:
    """The answers of a run by interval between two samples, and when each pod gave its first and its last. Memory grows
    by two numbers a sample."""

    def __init__(self) -> None:
        self._ended_s: list[float] = []
        self._answers: list[int] = []
        self._spans: dict[str, _Span] = {}

    def observe(self, at_s: float, got: Mapping[str, int]) -> None:
        """got: answers of each pod in the interval that ends now."""
        at, joined = len(self._answers), 0
        for name, answers in got.items():
            if not answers:
                continue
            if name in self._spans:
                self._spans[name].last = at
            elif not at:
                self._spans[name] = _Span(0, at)
            else:
                self._spans[name] = _Span(at + 1, at, answers)
                joined += answers
        self._ended_s.append(at_s)
        self._answers.append(sum(got.values()) - joined)

    def joined(self) -> dict[str, float]:
        """When each pod answered for the first time that did not do so at once, as the samples tell it."""
        return {name: self._ended_s[span.first - 1] for name, span in self._spans.items() if span.first}

    def due(self, after_s: float, declared: Mapping[str, float], there: Collection[str] = ()) -> dict[str, float]:
        """Requests due since then to each pod that has answered since; > 0.

        declared: weights of pods and groups. there: pods that are taken to be there until now, quiet as they are."""
        begin, now = bisect_right(self._ended_s, after_s), len(self._answers) - 1
        still = {name: replace(span, last=now) for name, span in self._spans.items() if name in there}
        spans = {name: span for name, span in (self._spans | still).items() if span.last >= begin}
        group = {name: group_of(name, declared) for name in spans}
        groups = defaultdict[str, list[_Span]](list)
        for name, span in spans.items():
            groups[group[name]].append(span)
        size = len(self._answers) - begin
        present = {each: _present(members, begin, size) for each, members in groups.items()}
        # A group shares its weight; every pod without a group has a weight of its own, 1.
        weights = {each: declared[each] * (n > 0) if each else n for each, n in present.items()}
        total = _at_least_one_pod(sum(weights.values(), np.zeros(size)))
        per_weight = np.array(self._answers[begin:], dtype=float) / total
        summed = {
            each: np.concatenate([[0.0], np.cumsum(per_weight * weights[each] / _at_least_one_pod(n))])
            for each, n in present.items()
        }
        due = {name: _due(span, begin, summed[group[name]]) for name, span in spans.items()}
        return {name: requests for name, requests in due.items() if requests > 0}


def _at_least_one_pod(values: Array) -> Array:
    """The values, where nobody was there 1: nothing was answered then."""
    return np.where(values > 0, values, 1.0)


def _present(spans: Sequence[_Span], begin: int, size: int) -> Array:
    """How many of them were there in each interval; shape (size,)."""
    steps = np.zeros(size + 1)
    for span in spans:
        steps[max(span.first - begin, 0)] += 1
        steps[span.last + 1 - begin] -= 1
    return np.asarray(np.cumsum(steps)[:size])


def _due(span: _Span, begin: int, summed: Array) -> float:
    shared = float(summed[span.last + 1 - begin] - summed[max(span.first - begin, 0)])
    return shared + (span.joined if span.first - 1 >= begin else 0)
