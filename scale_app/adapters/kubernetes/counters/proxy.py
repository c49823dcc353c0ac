"""Counts at a layer-7 proxy before the pods: by its access log with the upstream's address, or Envoy's counters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.access_log import LAG_S, LineCounts, LogFollowing
from scale_app.adapters.kubernetes.counters.pods import CountedPod, TargetPods, pods_of_selector
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts
from scale_app.domain.errors import CountingFailed, ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from scale_app.readings.access_log import envoy_requests, envoy_weights, upstream_ip

ADMIN_PORTS = (9901, 19000, 15000)
ADMIN_LIMIT_S = 5.0
UNLISTED = (
    "Counting continues at the known pods of the proxy ({known}). Answers of others are missing until the list "
    "can be read again. {error}"
)


@dataclass(frozen=True, slots=True)
class ProxyCounter(AtPods):
    """Fulfils RequestCounter at the pods that the plan names as the proxy's."""

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        namespace, _, selector = plan.proxy_pods.partition("/")
        async with self.pods_of(plan, target) as pods:
            at_proxy = _AtProxy(pods, plan)
            proxies = await _proxies(pods.cluster, namespace, selector)
            await at_proxy.open(proxies)
            try:
                while True:
                    began_s, unlisted = self.clock.monotonic_s(), ""
                    try:
                        proxies = await _proxies(pods.cluster, namespace, selector)
                    except ScaleError as error:
                        unlisted = UNLISTED.format(known=", ".join(proxies), error=error)
                    problem = await at_proxy.look(proxies) or unlisted
                    took_s = self.clock.monotonic_s() - began_s
                    requests, others = at_proxy.counted()
                    yield CountsSample(
                        began_s,
                        Source.PROXY,
                        requests,
                        others=others,
                        took_s=took_s,
                        lag_s=LAG_S,
                        problem=problem,
                        weights=at_proxy.weights,
                    )
                    await asyncio.sleep(self.every_s)
            finally:
                await at_proxy.close()


async def _proxies(cluster: ClusterClient, namespace: str, selector: str) -> Mapping[str, CountedPod]:
    found = await pods_of_selector(cluster, namespace, selector)
    if not found:
        raise CountingFailed(
            f"The proxy has no pod: no pod in the namespace {namespace} has the labels {selector}. "
            "Correct the plan's proxy_pods."
        )
    return found


class _AtProxy:
    """Envoy's counters where its admin page answers, else the proxies' logs. weights: that Envoy gives pods."""

    def __init__(self, pods: TargetPods, plan: LoadPlan) -> None:
        self._pods = pods
        self._counts = LineCounts(plan, lambda _, entry: self._ips.get(upstream_ip(entry, self._ips), ""))
        self._following = LogFollowing(pods.cluster, self._counts.take)
        self._admin_port = 0
        self._ips: dict[str, str] = {}
        self._envoy: dict[str, dict[str, int]] = {}
        self.weights: dict[str, float] = {}

    async def open(self, proxies: Mapping[str, CountedPod]) -> None:
        """Find out what the proxy is. Raises CountingFailed, ClusterForbidden, ClusterUnavailable."""
        self._learn_pods()
        for port in ADMIN_PORTS:
            try:
                text = await self._admin(next(iter(proxies.values())), port)
            except ScaleError:
                continue
            if "::rq_total::" in text:
                self._admin_port = port
                return
        await self._following.follow(proxies)

    async def look(self, proxies: Mapping[str, CountedPod]) -> str:
        """Bring the counts up to now; a sentence for what cannot be read, "" when all can."""
        self._learn_pods()
        if not self._admin_port:
            await self._following.follow(proxies)
            return next(iter(self._following.problems(proxies).values()), "")
        problem = ""
        for proxy in proxies.values():
            try:
                self._take_envoy(proxy.name, await self._admin(proxy, self._admin_port))
            except ScaleError as error:
                problem = str(error)
        return problem

    def counted(self) -> tuple[dict[str, int], int]:
        """{pod name: requests}, zeros included; requests of other clients."""
        return {**dict.fromkeys(self._pods.now(), 0), **self._counts.ours}, self._counts.others

    async def close(self) -> None:
        await self._following.close()

    async def _admin(self, proxy: CountedPod, port: int) -> str:
        text = await self._pods.cluster.text(f"{proxy.path}:{port}/proxy/{quote('clusters')}", limit_s=ADMIN_LIMIT_S)
        return text.decode("utf-8", "replace")

    def _learn_pods(self) -> None:
        """Addresses are kept when their pod is gone: its last requests are logged after that."""
        self._ips.update({pod.ip: name for name, pod in self._pods.now().items() if pod.ip})

    def _take_envoy(self, proxy: str, text: str) -> None:
        before = self._envoy.get(proxy)
        now = dict(envoy_requests(text, self._ips))
        self._envoy[proxy] = now
        self.weights = {self._ips[ip]: float(weight) for ip, weight in envoy_weights(text, self._ips).items()}
        if before is None:
            return
        for ip, total in now.items():
            gained = total - before.get(ip, 0) if total >= before.get(ip, 0) else total
            name = self._ips[ip]
            self._counts.ours[name] = self._counts.ours.get(name, 0) + gained
