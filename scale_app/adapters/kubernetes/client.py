"""The connection to one Kubernetes API server, by the official package's asyncio client, and its errors' border.

The package gives what is hard to get right: kubeconfig with its many ways to prove who one is, the pod's own account
with its turning token, TLS. Answers stay plain JSON: a model object for each of 1,000 pods would hold the page's
event loop for seconds, and refuses a whole list for one field that it does not know.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scale_app.adapters.kubernetes.border import border, config_border, of_status
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.errors import ClusterUnavailable, TargetRefused

if TYPE_CHECKING:
    from kubernetes.aio.client.api_client import ApiClient
    from kubernetes.aio.client.configuration import Configuration

TOKEN = "BearerToken"
IN_CLUSTER = "in-cluster"
Json = dict[str, Any]
Query = Mapping[str, str | int]

ANSWER_LIMIT_S = 10.0
MOST_BYTES = 64 * 1024 * 1024
"""The largest answer that is read; a page of 500 pods is a twentieth of it."""
PARSED_ASIDE_FROM_BYTES = 256 * 1024
LINE_BYTES = 8 * 1024 * 1024
"""The longest line of a watch: one object."""


class ClusterClient:
    """One API server as one account. Opened by its first question; `close` it at the end.

    kube_config: a kubeconfig file, or "in-cluster". context: of that file, "" for its current one.
    Every method raises ClusterUnavailable, ClusterForbidden, NotThere or Gone, and nothing else.
    """

    def __init__(self, kube_config: str, context: str = "") -> None:
        self.kube_config = kube_config
        self.context = context
        self._api: ApiClient | None = None
        self._namespace = ""
        self._opening = asyncio.Lock()

    @property
    def inside(self) -> bool:
        """True when this server runs in a pod of the cluster, so that the cluster's names and addresses lead there."""
        return self.kube_config == IN_CLUSTER

    async def api(self) -> ApiClient:
        """The package's client, configured, for what is not plain JSON over HTTP (exec's WebSocket)."""
        async with self._opening:
            if self._api is None:
                async with self._configuration() as (configuration, namespace):
                    from kubernetes.aio.client.api_client import ApiClient

                    self._api, self._namespace = ApiClient(configuration), namespace
            return self._api

    async def namespace(self) -> str:
        """The context's namespace, or the pod's own."""
        await self.api()
        return self._namespace

    async def get(self, path: str, query: Query | None = None, *, limit_s: float = ANSWER_LIMIT_S) -> Json:
        return await self._json("GET", path, query, None, limit_s)

    async def post(self, path: str, body: Json) -> Json:
        return await self._json("POST", path, None, body, ANSWER_LIMIT_S)

    async def patch(self, path: str, body: Json) -> Json:
        """The JSON object in the answer to a strategic merge patch."""
        return await self._json("PATCH", path, None, body, ANSWER_LIMIT_S)

    async def text(self, path: str, *, limit_s: float) -> bytes:
        """Whatever a pod or node answers through the API server, at most MOST_BYTES of it."""
        async with self._answer("GET", path, None, None, limit_s, limit_s) as response:
            return await _body(response, path)

    @asynccontextmanager
    async def lines(self, path: str, query: Query, *, quiet_s: float) -> AsyncIterator[AsyncIterator[bytes]]:
        """A stream's lines until its end: a watch, a log. It counts as lost when nothing came for quiet_s."""
        async with self._answer("GET", path, query, None, None, quiet_s) as response:
            yield _lines(response, path)

    async def close(self) -> None:
        """Let go of the connections. Idempotent; a question afterwards opens it again."""
        async with self._opening:
            api, self._api = self._api, None
        if api is not None:
            await api.close()

    @asynccontextmanager
    async def _configuration(self) -> AsyncIterator[tuple[Configuration, str]]:
        """What the kubeconfig or the pod's own account says now, and the namespace that it is meant for."""
        # The package takes a second and 45 MB: nobody pays who has no cluster, and no viewer waits for it.
        kube_config = await asyncio.to_thread(import_module, "kubernetes.aio.config.kube_config")
        with config_border(self.kube_config, self.context):
            try:
                yield await _read_configuration(self.kube_config, self.context)
            finally:
                # It writes keys to files, where TLS reads them. That is done, so they need not stay on the disk.
                kube_config._cleanup_temp_files()

    async def _json(self, method: str, path: str, query: Query | None, body: Json | None, limit_s: float) -> Json:
        async with self._answer(method, path, query, body, limit_s, limit_s) as response:
            content = await _body(response, path)
        try:
            aside = len(content) >= PARSED_ASIDE_FROM_BYTES
            parsed = await asyncio.to_thread(json.loads, content) if aside else json.loads(content)
        except (ValueError, RecursionError):
            parsed = None
        if not isinstance(parsed, dict):
            raise ClusterUnavailable(
                f"The cluster {await self._host()} answered {path} with something that is not a JSON object. "
                "Check that the kubeconfig's server is a Kubernetes API server."
            )
        return parsed

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, query: Query | None, body: Json | None, limit_s: float | None, quiet_s: float
    ) -> AsyncIterator[Any]:
        """A response with a good status. Asked again once with a new token when the old one has expired."""
        host = await self._host()
        with border(host, path, limit_s or quiet_s):
            response = await self._ask(method, path, query, body, limit_s, quiet_s)
            if response.status == 401 and await self._renewed(response.request_info.headers.get("Authorization")):
                response.close()
                response = await self._ask(method, path, query, body, limit_s, quiet_s)
            try:
                if not 200 <= response.status < 300:
                    raise of_status(host, method, path, response.status, await response.content.read(64 * 1024))
                yield response
            finally:
                response.close() if limit_s is None else response.release()

    async def _renewed(self, sent: str | None) -> bool:
        """True when there is another token than the one that was sent: read anew, or by another question meanwhile."""
        configuration = (await self.api()).configuration
        async with self._opening:
            if configuration.api_key.get(TOKEN) == sent:
                async with self._configuration() as (fresh, _):
                    configuration.api_key = fresh.api_key
                    # It holds the pod's token: the one before held the old one.
                    configuration.refresh_api_key_hook = fresh.refresh_api_key_hook
        return bool(configuration.api_key.get(TOKEN) != sent)

    async def _ask(
        self, method: str, path: str, query: Query | None, body: Json | None, limit_s: float | None, quiet_s: float
    ) -> Any:
        from aiohttp import ClientTimeout

        api = await self.api()
        pairs = [(name, str(value)) for name, value in (query or {}).items()]
        given = {"Content-Type": "application/strategic-merge-patch+json"} if method == "PATCH" else {}
        method, url, headers, sent, _ = await api.param_serialize(
            method, path, query_params=pairs, header_params=given, body=body, auth_settings=[TOKEN]
        )
        timeout = ClientTimeout(total=limit_s, sock_connect=ANSWER_LIMIT_S, sock_read=quiet_s)
        answer = await api.rest_client.request(method, url, headers=headers, body=sent, _request_timeout=timeout)
        return answer.response

    async def _host(self) -> str:
        host: str = (await self.api()).configuration.host
        return f"{host} (context {self.context})" if self.context else host


async def _read_configuration(config: str, context: str) -> tuple[Configuration, str]:
    """Raises whatever the package raises."""
    from kubernetes.aio.client.configuration import Configuration
    from kubernetes.aio.config import incluster_config, kube_config

    configuration = Configuration()
    if config == IN_CLUSTER:
        incluster_config.load_incluster_config(configuration)
        own = Path(incluster_config.SERVICE_TOKEN_FILENAME).with_name("namespace")
        return configuration, own.read_text().strip() if own.exists() else "default"
    if not _any_file(config):
        raise FileNotFoundError(config)  # the package would tell its log instead, and go on
    loader = await kube_config.load_kube_config(config, context or None, configuration, persist_config=False)
    return configuration, str(loader.current_context["context"].get("namespace") or "default")


def _any_file(config: str) -> bool:
    """The package takes several files, as KUBECONFIG does."""
    return any(Path(part).expanduser().is_file() for part in config.split(os.pathsep))


async def _body(response: Any, path: str) -> bytes:
    read = bytearray()
    async for chunk in response.content.iter_any():
        read += chunk
        if len(read) > MOST_BYTES:
            raise ClusterUnavailable(
                f"The cluster's answer to {path} is larger than {MOST_BYTES // 2**20} MiB and was not read completely. "
                "Read fewer objects: name one namespace in SCALE_KUBE_NAMESPACES."
            )
    return bytes(read)


async def _lines(response: Any, path: str) -> AsyncIterator[bytes]:
    held = bytearray()
    async for chunk in response.content.iter_any():
        held += chunk
        *whole, rest = held.split(b"\n")
        held = bytearray(rest)
        for line in whole:
            yield bytes(line)
        if len(held) > LINE_BYTES:
            raise ClusterUnavailable(
                f"The cluster sent a line of more than {LINE_BYTES // 2**20} MiB for {path}; the request was abandoned."
            )
    if held:
        yield bytes(held)


class Clusters:
    """The clusters that the operator configured: one per context, each opened by its first question.

    kube_config: see ClusterClient. contexts: () for its current one. namespaces: () for the context's own, "*" for all.
    """

    def __init__(self, kube_config: str, contexts: tuple[str, ...] = (), namespaces: tuple[str, ...] = ()) -> None:
        self._clusters = {context: ClusterClient(kube_config, context) for context in contexts or ("",)}
        self._namespaces = namespaces

    def all(self) -> tuple[ClusterClient, ...]:
        return tuple(self._clusters.values())

    def of(self, service: ServiceRef) -> ClusterClient:
        """The Service's cluster; the first one when it names no context. Raises ClusterUnavailable."""
        if not service.context:
            return next(iter(self._clusters.values()))
        if service.context not in self._clusters:
            raise ClusterUnavailable(
                f"The context {service.context!r} of the Service {service} is not among those that Scale may use: "
                f"{', '.join(filter(None, self._clusters)) or 'the current one'}. Name another one, or add it to "
                "SCALE_KUBE_CONTEXTS."
            )
        return self._clusters[service.context]

    async def namespaces(self, cluster: ClusterClient) -> tuple[str, ...]:
        """Those that are looked at; ("*",) for all. Raises ClusterUnavailable."""
        if "*" in self._namespaces:
            return ("*",)
        return self._namespaces or (await cluster.namespace(),)

    async def check(self, service: ServiceRef) -> ClusterClient:
        """The Service's cluster, if the Service is in a namespace that is looked at. Raises TargetRefused too."""
        cluster = self.of(service)
        namespaces = await self.namespaces(cluster)
        if "*" not in namespaces and service.namespace not in namespaces:
            raise TargetRefused(
                f"The Service {service} is outside the namespaces that Scale reads: {', '.join(namespaces)}. "
                "Ask the operator to add its namespace to SCALE_KUBE_NAMESPACES."
            )
        return cluster

    async def close(self) -> None:
        await asyncio.gather(*(cluster.close() for cluster in self.all()))
