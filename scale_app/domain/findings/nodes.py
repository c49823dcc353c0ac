"""Pods by node: what the findings about traffic that stays near its client look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from scale_app.domain.facts import Facts
from scale_app.domain.verdict_sentence import count

MOST_NODES_NAMED = 4


def away(pods: Sequence[str], here: str, place_of: Callable[[str], str]) -> list[str]:
    """The pods, if all of them are elsewhere or places are unknown; none when one of them is here."""
    return [] if here and any(place_of(pod) == here for pod in pods) else list(pods)


def pods_per_node(facts: Facts) -> str:
    """For example "2 pods on node-a, 1 pod on node-b"."""
    eligible = facts.figures.recent.expected
    nodes = Counter(facts.node_of(name) or "an unknown node" for name in eligible)
    named = [f"{count(pods, 'pod')} on {node}" for node, pods in sorted(nodes.items())[:MOST_NODES_NAMED]]
    rest = len(nodes) - len(named)
    return ", ".join(named) + (f" and others on {count(rest, 'more node')}" if rest else "")
