"""Counts requests by the lines of the pods' own access logs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes.counters.log_following import LogFollowing
from scale_app.adapters.kubernetes.counters.pods import TargetPods, service_of
from scale_app.adapters.kubernetes.counters.polling import EVERY_S, Reading
from scale_app.adapters.kubernetes.directory import ClusterOf
from scale_app.domain.plan import LoadPlan
from scale_app.domain.request import USER_AGENT
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted, Clock
from scale_app.readings.access_log import LogFormat, Ours, Whose

LAG_S = 0.25
"""From a request's end to its line's arrival; measured: a thousandth of it mostly, 0.1 s at the 99th percentile."""


class AccessLogCounter:
    """Fulfils RequestCounter."""

    def __init__(self, cluster_of: ClusterOf, clock: Clock, every_s: float = EVERY_S) -> None:
        self._cluster_of = cluster_of
        self._clock = clock
        self._every_s = every_s

    async def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        """See RequestCounter."""
        service = service_of(target.service, plan.target_url)
        cluster = self._cluster_of(service)
        counts = LineCounts(plan)
        following = LogFollowing(cluster, counts.take)
        try:
            async with TargetPods(cluster, service) as pods:
                while True:
                    pods.changed.clear()
                    now = pods.now()
                    await following.follow(now)
                    at_s = self._clock.monotonic_s()
                    failed = following.problems(now)
                    requests = {name: counts.ours.get(name, 0) for name in {*now, *counts.ours} - failed.keys()}
                    yield CountsSample(
                        at_s,
                        Source.ACCESS_LOG,
                        requests,
                        unread=tuple(failed),
                        others=counts.others,
                        lag_s=LAG_S,
                        problem=Reading(at_s, 0.0, requests, failed).problem,
                    )
                    await _pause(pods.changed, self._every_s)
        finally:
            await following.close()


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
