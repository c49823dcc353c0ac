"""What every counting source is given, and how sources are polled: every pod at once, a sentence for what failed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scale_app.adapters.kubernetes.counters.pods import CountedPod, TargetPods
from scale_app.adapters.kubernetes.directory import ClusterOf
from scale_app.domain.errors import CountingFailed, ScaleError, named
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.ports import Admitted, Clock

T = TypeVar("T")
Counts = AsyncGenerator[CountsSample | ConnectionsSample, None]
"""What every source gives, see RequestCounter."""
log = logging.getLogger(__name__)
UNFORESEEN = "Reading {pod} failed with an unexpected error ({error}). Count by another source."
EVERY_S = 1.0
AT_ONCE = 20
OFTENER = 5
REST_PER_READING = 2.0
"""A reading that takes long is followed by a longer rest, so that reading never loads the cluster all the time."""
PATIENCE_S = 1.0
"""For a pod that could not be read the last time, or twice what the others took then: their counts should not be late
because of it."""


@dataclass(frozen=True, slots=True)
class PodReadings(Generic[T]):
    """One look at every pod. at_s, took_s: of those that were read. got: {pod name: what it gave}. failed: {pod name:
    why}."""

    at_s: float
    took_s: float
    got: Mapping[str, T]
    failed: Mapping[str, str]

    @property
    def problem(self) -> str:
        """A sentence on the pods that could not be read, "" when all were."""
        if not self.failed:
            return ""
        name, why = next(iter(self.failed.items()))
        total = len(self.got) + len(self.failed)
        return why if total == 1 else f"{len(self.failed)} of {total} pods could not be read, among them {name}: {why}"


NOT_READ: PodReadings[Any] = PodReadings(0.0, 0.0, {}, {})


@dataclass(frozen=True, slots=True)
class AtPods:
    """cluster_of: raises ClusterUnavailable for an unknown context. every_s: from one look at the pods to the next."""

    cluster_of: ClusterOf
    clock: Clock
    every_s: float = EVERY_S

    def pods_of(self, plan: LoadPlan, target: Admitted) -> TargetPods:
        """The pods behind the target, to be entered. Raises CountingFailed for a target that is no Service."""
        if target.service is None:
            raise CountingFailed(
                f"{plan.target_url} is not known as a Service of a cluster that Scale may read, so nothing can be "
                "counted at its pods. Name its Service in the plan."
            )
        return TargetPods(self.cluster_of(target.service), target.service)

    async def readings(
        self, pods: TargetPods, read: Callable[[CountedPod], Awaitable[T]], sent: Callable[[], int]
    ) -> AsyncGenerator[PodReadings[T], None]:
        """For ever, one every so many seconds. sent: requests of ours so far.

        Raises CountingFailed when the first look gets nothing from any pod.
        """
        reading: PodReadings[T] | None = None
        while True:
            before, reading = reading, await self._look_at(pods.now(), read, reading or NOT_READ)
            if before is None and reading.failed and not reading.got:
                raise CountingFailed(reading.problem)
            yield reading
            # What a pod answers after its last reading is lost, so one that is about to end is read more often.
            ending = any(pod.ending for pod in pods.now().values())
            pause_s = self.every_s / OFTENER if ending else self.every_s
            # No long rest before the load: what it begins with should be seen, be it connections or counters.
            rest_s = REST_PER_READING * reading.took_s if sent() else 0.0
            await asyncio.sleep(max(pause_s - reading.took_s, rest_s))

    async def _look_at(
        self,
        pods: Mapping[str, CountedPod],
        read: Callable[[CountedPod], Awaitable[T]],
        before: PodReadings[T],
    ) -> PodReadings[T]:
        """Every pod once, AT_ONCE of them at a time."""
        limited, patience_s = asyncio.Semaphore(AT_ONCE), max(PATIENCE_S, 2 * before.took_s)
        got: dict[str, T] = {}
        failed: dict[str, str] = {}
        began_s = read_s = self.clock.monotonic_s()

        async def look(pod: CountedPod) -> None:
            nonlocal read_s
            async with limited:
                try:
                    async with asyncio.timeout(patience_s if pod.name in before.failed else None):
                        got[pod.name] = await read(pod)
                    read_s = self.clock.monotonic_s()
                except TimeoutError as error:
                    failed[pod.name] = before.failed.get(pod.name) or UNFORESEEN.format(
                        pod=pod.name, error=named(error)
                    )
                except ScaleError as error:
                    failed[pod.name] = str(error)
                except Exception as error:
                    log.exception("the pod %s could not be read", pod.name)
                    failed[pod.name] = UNFORESEEN.format(pod=pod.name, error=named(error))

        await asyncio.gather(*(look(pod) for pod in pods.values()))
        return PodReadings(began_s, read_s - began_s, got, failed)
