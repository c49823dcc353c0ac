"""Counts requests by a Prometheus counter that the pods export anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from scale_app.adapters.kubernetes.border import NotThere, border
from scale_app.adapters.kubernetes.client import MOST_BYTES
from scale_app.adapters.kubernetes.counters.counter_deltas import CounterDeltas
from scale_app.adapters.kubernetes.counters.pods import CountedPod, TargetPods
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts, PodReadings
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, CountingFailed, ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from scale_app.readings.counters import NotAPage, Page, counters_of

PATHS = ("/metrics", "/actuator/prometheus", "/q/metrics")
PAGE_LIMIT_S = 5.0
MOST_TRIED = 3
LARGEST_PAGE = 50_000_000
PARSED_ASIDE_FROM_BYTES = 20_000
MOST_SERIES = 200_000
SERIES_PER_POD = (50, 2_000)
CONNECT_LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class PrometheusCounter(AtPods):
    """Fulfils RequestCounter, through the API server's pod proxy, or else at the pods' own addresses."""

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        async with self.pods_of(plan, target) as pods:
            pages = _Pages(pods, plan.counter_name)
            deltas = CounterDeltas(plan.counter_name, urlsplit(target.url).path or "/")
            async with aclosing(self.readings(pods, pages.read, sent)) as looks:
                async for reading in looks:
                    now = pods.now()
                    pages_of = {name: (now.get(name), page) for name, page in reading.got.items()}
                    deltas.observe(pages_of, sent(), reading.failed)
                    yield self._sample(reading, deltas, now)

    def _sample(self, reading: PodReadings[Page], deltas: CounterDeltas, now: Collection[str]) -> CountsSample:
        counted = deltas.counted()
        gone = tuple(name for name in counted.requests if name not in now)
        return CountsSample(
            reading.at_s,
            Source.PROMETHEUS,
            requests=counted.requests,
            unread=tuple(reading.failed),
            others=counted.others,
            cut_off=tuple(dict.fromkeys((*counted.restarted, *gone))),
            took_s=reading.took_s,
            problem=reading.problem or deltas.problem,
        )


class _NothingThere(CountingFailed):
    """No page at this place."""


class _Pages:
    """Finds where the pods have their page, once, and reads it."""

    def __init__(self, pods: TargetPods, name: str) -> None:
        self._pods = pods
        self._name = name
        self._place: tuple[int, str] | None = None
        self._finding = asyncio.Lock()
        self._pageless: dict[str, str] = {}
        self._forbidden: dict[str, ClusterForbidden] = {}

    async def read(self, pod: CountedPod) -> Page:
        """Raises CountingFailed, ClusterForbidden, ClusterUnavailable."""
        place = self._place
        if place is None:
            async with self._finding:
                place = self._place or await self._found_at(pod)
        return await self._page(pod, *place)

    async def _found_at(self, pod: CountedPod) -> tuple[int, str]:
        """Where the page is. Pods of a Service are alike, so a few are tried and not all of 1,000."""
        if len(self._pageless) >= MOST_TRIED and pod.name not in self._pageless:
            raise CountingFailed(next(iter(self._pageless.values())))
        try:
            return await self._find(pod)
        except CountingFailed as error:
            self._pageless[pod.name] = str(error)
            raise

    async def _find(self, pod: CountedPod) -> tuple[int, str]:
        tried: list[str] = []
        useless = ""
        for port in dict.fromkeys((*pod.metrics_ports, *pod.ports)):
            for path in dict.fromkeys((pod.metrics_path or PATHS[0], *PATHS)):
                try:
                    await self._page(pod, port, path)
                except ClusterForbidden:
                    raise
                except ScaleError as error:
                    tried.append(f":{port}{path}")
                    useless = useless or ("" if isinstance(error, _NothingThere) else str(error))
                else:
                    self._place = (port, path)
                    return self._place
        raise CountingFailed(
            useless
            or f"The pod {pod.name} has no Prometheus page at {', '.join(tried) or 'any port'}. Say where it is by the "
            "annotations prometheus.io/port and prometheus.io/path, or count by another source."
        )

    async def _page(self, pod: CountedPod, port: int, path: str) -> Page:
        try:
            text = await self._text(pod, port, path)
        except NotThere:
            raise _NothingThere(f"The pod {pod.name} has nothing at :{port}{path} (404).") from None
        if len(text) > LARGEST_PAGE:
            raise CountingFailed(
                f"The Prometheus page of {pod.name} has {len(text):,} bytes, more than the {LARGEST_PAGE:,} that are "
                "read. Count by another source."
            )
        return await self._read(pod, text, f":{port}{path}")

    async def _text(self, pod: CountedPod, port: int, path: str) -> bytes:
        """Through the API server; where the account may not do that, at the pod's own address."""
        if pod.name not in self._forbidden:
            try:
                where = f"{pod.path}:{port}/proxy/{quote(path.lstrip('/'))}"
                return await self._pods.cluster.text(where, limit_s=PAGE_LIMIT_S)
            except ClusterForbidden as forbidden:
                self._forbidden[pod.name] = forbidden
        try:
            return await page_at(pod, port, path, PAGE_LIMIT_S)
        except NotThere:
            raise
        except ClusterUnavailable:
            raise self._forbidden[pod.name] from None

    async def _read(self, pod: CountedPod, text: bytes, place: str) -> Page:
        least, most = SERIES_PER_POD
        keep = min(most, max(least, MOST_SERIES // max(1, len(self._pods.now()))))
        try:
            if len(text) < PARSED_ASIDE_FROM_BYTES:
                return counters_of(text, self._name, keep)
            return await asyncio.to_thread(counters_of, text, self._name, keep)
        except NotAPage as error:
            raise CountingFailed(
                f"What {pod.name} gives at {place} is not a Prometheus page ({str(error)[:80]!r}). "
                "Count by another source."
            ) from None


async def page_at(pod: CountedPod, port: int, path: str, limit_s: float) -> bytes:
    """The body, at most MOST_BYTES of it. Redirects are not followed: they could lead anywhere.

    Raises NotThere, ClusterUnavailable.
    """
    from aiohttp import ClientSession, ClientTimeout

    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    url = f"http://{host}:{port}{path}"
    timeout = ClientTimeout(total=limit_s, sock_connect=CONNECT_LIMIT_S)
    with border(host, url, limit_s):
        async with (
            ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "text/plain"}) as response,
        ):
            if response.status == 404:
                raise NotThere(f"The pod {pod.name} has nothing at {url} (404).")
            if response.status != 200:
                raise ClusterUnavailable(f"The pod {pod.name} answered {url} with status {response.status}.")
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > MOST_BYTES:
                    break
            return bytes(read)
