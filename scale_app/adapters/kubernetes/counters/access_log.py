"""Counts requests by the lines of the pods' own access logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes.counters.logs import LogFollowing
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts, PodReadings
from scale_app.domain.plan import LoadPlan
from scale_app.domain.request import USER_AGENT
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from scale_app.readings.access_log import LogFormat, Ours, Whose

LAG_S = 0.25
"""From a request's end to its line's arrival; measured: a thousandth of it mostly, 0.1 s at the 99th percentile."""


@dataclass(frozen=True, slots=True)
class AccessLogCounter(AtPods):
    """Fulfils RequestCounter."""

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        """See RequestCounter."""
        pods = self.pods_of(plan, target)
        counts = LineCounts(plan)
        following = LogFollowing(pods.cluster, counts.take)
        try:
            async with pods:
                while True:
                    pods.changed.clear()
                    now = pods.now()
                    await following.follow(now)
                    yield _sample(self.clock.monotonic_s(), counts, now, following.problems(now))
                    await _pause(pods.changed, self.every_s)
        finally:
            await following.close()


def _sample(at_s: float, counts: LineCounts, now: Collection[str], failed: Mapping[str, str]) -> CountsSample:
    """now: names of the pods that are there. failed: {pod name: why its log cannot be followed}."""
    requests = {name: counts.ours.get(name, 0) for name in {*now, *counts.ours} - failed.keys()}
    return CountsSample(
        at_s,
        Source.ACCESS_LOG,
        requests,
        unread=tuple(failed),
        others=counts.others,
        lag_s=LAG_S,
        problem=PodReadings(at_s, 0.0, requests, failed).problem,
    )


class LineCounts:
    """ours: {pod name: lines of our requests}. others: lines of other clients' requests."""

    def __init__(self, plan: LoadPlan) -> None:
        self.ours: dict[str, int] = {}
        self.others = 0
        self._format = LogFormat(plan.log_pattern)
        self._ours = our_requests(plan)

    def take(self, pod: str, line: bytes) -> None:
        """Count a line of this pod's log."""
        whose = self._ours.whose(self._format.entry(line))
        if whose is Whose.OURS:
            self.ours[pod] = self.ours.get(pod, 0) + 1
        elif whose is Whose.OTHERS:
            self.others += 1


def our_requests(plan: LoadPlan) -> Ours:
    """How the plan's requests look in a log."""
    parts = urlsplit(plan.target_url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    agent = next((value for name, value in plan.headers.items() if name.lower() == "user-agent"), USER_AGENT)
    return Ours(plan.method, target, agent)


async def _pause(changed: asyncio.Event, every_s: float) -> None:
    """So long, or less when a pod came: what it logs from its first moment on is ours to read."""
    try:
        await asyncio.wait_for(changed.wait(), every_s)
    except TimeoutError:
        return
    await asyncio.sleep(every_s / 10)
