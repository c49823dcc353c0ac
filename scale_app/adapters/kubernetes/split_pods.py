"""The pods of several Services among which a route splits the requests: each has its part of its Service's weight."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from scale_app.domain.cluster import ServiceRef, ServiceSettings, Split
from scale_app.domain.samples import PodSeen, PodsSample, Sample

T = TypeVar("T")
Samples = AsyncGenerator[Sample, None]


async def together(split: Split, watches: Mapping[ServiceRef, Samples]) -> Samples:
    """One sample whenever a Service has a new one, from when all have one. Raises what a watch raises."""
    said: asyncio.Queue[tuple[ServiceRef, Sample] | Exception] = asyncio.Queue()
    tasks = [asyncio.create_task(_follow(service, samples, said)) for service, samples in watches.items()]
    newest: dict[ServiceRef, PodsSample] = {}
    try:
        while True:
            item = await said.get()
            if isinstance(item, Exception):
                raise item
            service, sample = item
            if isinstance(sample, PodsSample):
                newest[service] = sample
            if not isinstance(sample, PodsSample):
                yield sample
            elif len(newest) == len(watches):
                yield of_all(split, newest, sample.at_s)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(
    service: ServiceRef, samples: Samples, said: asyncio.Queue[tuple[ServiceRef, Sample] | Exception]
) -> None:
    try:
        async with aclosing(samples):
            async for sample in samples:
                said.put_nowait((service, sample))
    except Exception as error:  # noqa: BLE001 - raised where the samples are taken
        said.put_nowait(error)


def of_all(split: Split, newest: Mapping[ServiceRef, PodsSample], at_s: float) -> PodsSample:
    """The settings are those of the Service with the most weight, and the split."""
    main = newest[max(newest, key=lambda service: split.weights[service])]
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
