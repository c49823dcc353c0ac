"""Diagnosis runs once a second beside everything else, so it must stay cheap."""

from __future__ import annotations

import time

import numpy as np

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.findings import diagnose
from tests.unit.domain.findings.scenes import PodFacts, Scene

PODS = 1_000
MOST_S = 0.001
TIMES = 30


def test_a_thousand_pods_are_diagnosed_within_a_millisecond() -> None:
    counts = np.random.default_rng(1).poisson(200, PODS).tolist()
    pods = {f"pod-{i:04d}": PodFacts(n, node=f"node-{i % 50}") for i, n in enumerate(counts)}
    facts = Scene(pods, service=ServiceSettings(client_node="node-1")).facts()
    taken_s = []
    for _ in range(TIMES):
        begin_s = time.thread_time()
        diagnose(facts)
        taken_s.append(time.thread_time() - begin_s)
    assert min(taken_s) <= MOST_S
