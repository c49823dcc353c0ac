"""Counts and their verdicts, as the tests of the verdict make them."""

import dataclasses

import numpy as np

from scale_app.domain.verdict import Verdict, judge


def one_each(requests: list[int]) -> Verdict:
    """The verdict when each request had a connection of its own."""
    return judge(requests, {1: sum(requests)}, coverage=1.0)


def fair(pods: int, connections: int, seed: int) -> list[int]:
    """What a balancer that gives each pod the same chance shares out."""
    counts: list[int] = np.random.default_rng(seed).multinomial(connections, [1 / pods] * pods).tolist()
    return counts


def numbers(verdict: Verdict) -> list[float]:
    """Every figure in it that is no whole number."""
    return [value for value in dataclasses.astuple(verdict) if isinstance(value, float)]
