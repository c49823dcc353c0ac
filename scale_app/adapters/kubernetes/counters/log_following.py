"""Follows the logs of many pods at once and counts what a reader of lines makes of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.counters.log_lines import PodLog
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.domain.errors import CountingFailed, ScaleError

MOST_LOGS = 200
OPENING_LIMIT_S = 2.0
"""An empty log is opened by its first line only, so it is not waited for."""


class LogFollowing:
    """take: called with the pod's name and each line. Close it at the end."""

    def __init__(self, cluster: Cluster, take: Callable[[str, bytes], None]) -> None:
        self._cluster = cluster
        self._take = take
        self._logs: dict[str, PodLog] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lost: dict[str, str] = {}
        self._begun = False

    async def follow(self, pods: Mapping[str, CountedPod]) -> None:
        """Begin with the pods that are new; those of the first call from now on, later ones from their beginning.

        Raises CountingFailed when there are too many, or when none of the first can be followed.
        """
        if len(pods) > MOST_LOGS:
            raise CountingFailed(
                f"The logs of {len(pods)} pods are more than the {MOST_LOGS} that are followed at once. "
                "Count by another source."
            )
        new = [pod for name, pod in pods.items() if name not in self._logs]
        for pod in new:
            log = self._logs[pod.name] = PodLog(self._cluster, pod, from_now=not self._begun)
            self._tasks[pod.name] = asyncio.create_task(self._drain(pod.name, log))
        if not self._begun:
            await self._wait_for_all()
        self._begun = True

    def problems(self, pods: Mapping[str, CountedPod]) -> dict[str, str]:
        """{pod name: why its log cannot be followed}, of the pods that are there."""
        waiting = {name: log.problem for name, log in self._logs.items() if log.problem}
        return {name: why for name, why in (waiting | self._lost).items() if name in pods}

    async def close(self) -> None:
        """Follow none any more."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _wait_for_all(self) -> None:
        opened = [asyncio.create_task(log.opened.wait()) for log in self._logs.values()]
        if opened:
            await asyncio.wait(opened, timeout=OPENING_LIMIT_S)
        for task in opened:
            task.cancel()
        if self._logs and len(self._lost) == len(self._logs):
            raise CountingFailed(next(iter(self._lost.values())))

    async def _drain(self, name: str, log: PodLog) -> None:
        try:
            async for line in log.lines():
                self._take(name, line)
        except NotThere:
            return  # the pod has ended, and its log with it
        except ScaleError as error:
            self._lost[name] = str(error)
        finally:
            log.opened.set()
