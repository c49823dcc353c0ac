"""The pods of several Services among which a route splits the requests: each has its part of its Service's weight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeVar

from scale_app.domain.cluster import ServiceRef, ServiceSettings, Split
from scale_app.domain.samples import PodSeen, PodsSample, Sample
from scale_app.ports import Clock

T = TypeVar("T")
Samples = AsyncGenerator[Sample, None]


class SplitWatch:
    """The watches of all Services that share a run's requests now.

    service: the one that gets everything while there is no split. watch: begins the watch of a Service.
    """

    def __init__(self, service: ServiceRef, watch: Callable[[ServiceRef], Samples], clock: Clock) -> None:
        self._split = self._alone = Split("", {replace(service, port=0): 1.0})
        self._watch = watch
        self._clock = clock
        self._said: asyncio.Queue[tuple[ServiceRef, Sample] | Split | Exception | None] = asyncio.Queue()
        self._newest: dict[ServiceRef, PodsSample] = {}
        self._tasks: dict[ServiceRef, asyncio.Task[None]] = {}

    async def samples(self, splits: AsyncGenerator[Split | None, None]) -> Samples:
        """One whenever a Service has one or weights change, from when all have one. Raises what a watch raises."""
        follower = asyncio.create_task(self._follow(splits, self._said.put_nowait))
        try:
            while True:
                if sample := self._taken(await self._said.get()):
                    yield sample
        finally:
            tasks = (follower, *self._tasks.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _taken(self, item: tuple[ServiceRef, Sample] | Split | Exception | None) -> Sample | None:
        if isinstance(item, Exception):
            raise item
        if not isinstance(item, tuple):
            self._turn_to(item or self._alone)
        elif not isinstance(item[1], PodsSample):
            return item[1]
        elif item[0] in self._tasks:  # of one that has no part any more, a last one may come late
            self._newest[item[0]] = item[1]
        complete = self._newest.keys() == self._tasks.keys()
        return of_all(self._split, self._newest, self._clock.monotonic_s()) if complete else None

    def _turn_to(self, split: Split) -> None:
        self._split = split
        for service in self._tasks.keys() - split.weights.keys():
            self._tasks.pop(service).cancel()
            self._newest.pop(service, None)
        for service in split.weights.keys() - self._tasks.keys():
            hear = partial(self._hear, service)
            self._tasks[service] = asyncio.create_task(self._follow(self._watch(service), hear))

    def _hear(self, service: ServiceRef, sample: Sample) -> None:
        self._said.put_nowait((service, sample))

    async def _follow(self, told: AsyncGenerator[T, None], hear: Callable[[T], None]) -> None:
        try:
            async with aclosing(told):
                async for each in told:
                    hear(each)
        except Exception as error:  # noqa: BLE001 - raised where the samples are taken
            self._said.put_nowait(error)


def of_all(split: Split, newest: Mapping[ServiceRef, PodsSample], at_s: float) -> PodsSample:
    """The settings are those of the Service with the most weight, and the split."""
    main = newest[max(newest, key=lambda service: split.weights[service])]
    if len(newest) == 1:
        return replace(main, at_s=at_s)
    weights = {service.name: weight for service, weight in split.weights.items()}
    pods: dict[str, PodSeen] = {}
    for service, sample in newest.items():
        ready = sum(pod.ready for pod in sample.pods)
        for pod in sample.pods:
            each = split.weights[service] / ready if pod.ready else 0.0
            before = pods.get(pod.name, replace(pod, weight=0.0))  # perhaps it is behind two of the Services
            pods[pod.name] = replace(pod, weight=before.weight + each, ready=before.ready or pod.ready)
    return PodsSample(
        at_s,
        tuple(pods[name] for name in sorted(pods)),
        service=replace(main.service or ServiceSettings(), split=weights, split_by=split.by),
        nodes=_joined(sample.nodes for sample in newest.values()),
        replicas=_joined(sample.replicas for sample in newest.values()),
        usage=_joined(sample.usage for sample in newest.values()),
        missing=" ".join(dict.fromkeys(sample.missing for sample in newest.values() if sample.missing)),
    )


def _joined(parts: Iterable[Mapping[str, T] | None]) -> dict[str, T] | None:
    known = [part for part in parts if part is not None]
    return {name: value for part in known for name, value in part.items()} if known else None
