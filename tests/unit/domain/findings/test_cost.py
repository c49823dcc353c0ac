"""Diagnosis runs once a second beside everything else: its work grows no faster than the number of pods. What it takes
is measured by `make bench`."""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np

from scale_app.domain.findings import diagnose
from tests.unit.domain.findings.scenes import on_fifty_nodes


def calls_of_diagnosing(pods: int) -> int:
    """How many functions are called, built-in ones included."""
    counts = np.random.default_rng(1).poisson(200, pods).tolist()
    facts = on_fifty_nodes(counts).facts()
    diagnose(facts)  # what is made once is made
    made = 0

    def count(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        diagnose(facts)
    finally:
        sys.setprofile(None)
    return made


def test_four_times_the_pods_are_diagnosed_with_about_four_times_the_work() -> None:
    assert calls_of_diagnosing(2_000) < 4.5 * calls_of_diagnosing(500)
