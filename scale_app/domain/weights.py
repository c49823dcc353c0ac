"""Declared weights: how the work is meant to be shared among pods that are named one by one or by a common prefix.

A prefix such as a Deployment's name is a group, and its pods share the group's weight: 90 for `web-stable` and 10 for
`web-canary` mean 90 % and 10 % of the work, however many pods each has. Of several that fit a pod, the longest counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from scale_app.domain import verdict_sentence
from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import is_number
from scale_app.domain.verdict import Verdict, VerdictKind, as_undecided

MOST_ENTRIES = 1_000
LEAST_WEIGHT, MOST_WEIGHT = 0.001, 1e6
MOST_NAMED = 4
MOST_UNUSED_NAMED = 5


def check_weights(weights: object) -> None:
    """Raises PlanError."""
    if not isinstance(weights, Mapping) or len(weights) > MOST_ENTRIES:
        raise PlanError("weights", weights, f"at most {MOST_ENTRIES:,} names of pods with their weights")
    for name, weight in weights.items():
        if not isinstance(name, str) or not name.strip():
            raise PlanError("weights", name, "the name of a pod, or a prefix of names such as a Deployment's")
        if not is_number(weight) or not LEAST_WEIGHT <= weight <= MOST_WEIGHT:
            raise PlanError("weights", weight, f"a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:,.0f} for {name!r}")


def each_once(names: Iterable[str]) -> None:
    """Raises PlanError for a name that has two weights: which of them was meant, nobody can tell."""
    twice = next((name for name, times in Counter(names).items() if times > 1), "")
    if twice:
        raise PlanError("weights", twice, "it is given twice, and each name has one weight")


def weights_of(pods: Collection[str], declared: Mapping[str, float]) -> dict[str, float]:
    """The weight of each of these pods that is declared, its part of its group's; the others are left out."""
    groups = {pod: group for pod in pods if (group := group_of(pod, declared))} if declared else {}
    sizes = Counter(groups.values())
    return {pod: declared[group] / sizes[group] for pod, group in groups.items()}


def with_weights(
    verdict: Verdict, pods: Collection[str], declared: Mapping[str, float], service: ServiceSettings | None
) -> Verdict:
    """The verdict, with a sentence on the weights by which it was judged; as it is where there are none.

    Undecided instead of even where work is meant for names that no pod has: nobody can tell whether they are wrong, or
    those pods get nothing."""
    found = service or ServiceSettings()
    words = weights_sentence(pods, declared, found.split, found.split_by)
    if verdict.kind is VerdictKind.NO_DATA or not words:
        return verdict
    if verdict.kind is VerdictKind.EVEN and (unused := _unused(pods, declared)):
        verdict = as_undecided(verdict, verdict_sentence.undecided_by_names(unused))
    return replace(verdict, sentence=f"{verdict.sentence} {words}")


def weights_sentence(
    pods: Collection[str], declared: Mapping[str, float], split: Mapping[str, float], split_by: str
) -> str:
    """By which weights a run is judged, and which of them no pod has; "" for none. split, split_by: of the cluster."""
    if not declared:
        return f"Fair shares by the weights of {split_by}: {_listed(split)}." if split else ""
    words = f"Fair shares by the weights in the plan: {_listed(declared)}."
    return words + _on_unused(_unused(pods, declared))


def _unused(pods: Collection[str], declared: Mapping[str, float]) -> list[str]:
    """Declared names that no pod has."""
    there = {name for pod in pods for name in _names_of(pod)}
    return [name for name in declared if name not in there]


def _on_unused(names: Sequence[str]) -> str:
    """What to check about weights that no pod has, "" for none."""
    if not names:
        return ""
    if len(names) == 1:
        return f" No pod is named {names[0]} or begins with {names[0]}-: its pods get nothing, or the name is wrong."
    listed = verdict_sentence.pods_named(names, MOST_UNUSED_NAMED)
    return f" No pod is named, or begins with, any of {listed}: their pods get nothing, or the names are wrong."


def _listed(declared: Mapping[str, float]) -> str:
    listed = [f"{name} {weight:.10g}" for name, weight in declared.items()]
    rest = f" and {len(listed) - MOST_NAMED:,} more" if len(listed) > MOST_NAMED else ""
    return f"{', '.join(listed[:MOST_NAMED])}{rest}"


def group_of(pod: str, declared: Mapping[str, float]) -> str:
    """The longest declared name that is the pod's or its prefix up to a hyphen, "" for none."""
    return next((name for name in _names_of(pod) if name in declared), "")


def _names_of(pod: str) -> list[str]:
    """The pod's name and its prefixes up to a hyphen, the longest first."""
    parts = pod.split("-")
    return ["-".join(parts[:length]) for length in range(len(parts), 0, -1)]
