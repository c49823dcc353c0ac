"""Counts by what the pods' network says: each pod's own table of connections, or the bytes that it received.

A table is read from inside, by the pod's own `cat` or by a container that is added to it: running a command in a
container is the one way to see what only the pod itself can see. The bytes, as the kubelets tell them, give no more
than an estimate.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from scale_app.adapters.kubernetes.border import border, forbidden, of_status, quoted
from scale_app.adapters.kubernetes.client import TOKEN, ClusterClient
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts, PodReadings
from scale_app.adapters.kubernetes.objects import dict_at, list_at, text_at
from scale_app.domain.errors import ClusterUnavailable, CountingFailed, ScaleError, named
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted
from scale_app.readings.counters import ConnectionTable, PodBytes, connection_table, received_bytes

log = logging.getLogger(__name__)
EVERY_S = 2.0
SUMMARY_LIMIT_S = 5.0
READ = ("cat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/snmp")
ADDED = "scale-connections"
ADDED_LIVES_S = 86_400
STARTED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.5
AS_RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65_534,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""As little as the strictest pod security allows; the tables may be read by everybody."""
LIMIT_S = 10.0
MOST_BYTES = 32 * 1024 * 1024
STDOUT, STDERR, STATUS = 1, 2, 3
RULES = "get and create pods/exec"
PROTOCOL = "v4.channel.k8s.io"
NO_COMMAND = ("executable file", "no such file or directory", "not found in $PATH")


@dataclass(frozen=True, slots=True)
class ConnectionMap(AtPods):
    """Fulfils RequestCounter by ConnectionsSamples. image: of the container that is added where the plan allows it."""

    image: str = field(kw_only=True)

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        pods = self.pods_of(plan, target)
        tables = _Tables(pods.cluster, self.image if plan.enter_pods == "ephemeral" else "")
        async with pods, aclosing(self.readings(pods, tables.read, sent)) as looks:
            async for reading in looks:
                yield _sample(reading)


def _sample(reading: PodReadings[ConnectionTable]) -> ConnectionsSample:
    return ConnectionsSample(
        reading.at_s,
        {name: table.clients for name, table in reading.got.items()},
        {name: table.opened for name, table in reading.got.items() if table.opened is not None},
        unread=tuple(reading.failed),
        took_s=reading.took_s,
        problem=reading.problem,
    )


class _Tables:
    """image: "" where nothing may be added to the pods."""

    def __init__(self, cluster: ClusterClient, image: str) -> None:
        self._cluster = cluster
        self._image = image
        self._entered_by: dict[str, str] = {}

    async def read(self, pod: CountedPod) -> ConnectionTable:
        """Raises CountingFailed, ClusterForbidden, ClusterUnavailable."""
        if not pod.ports:
            raise CountingFailed(f"The Service names no port of the pod {pod.name}, so its connections are not known.")
        return connection_table(await self._text(pod), pod.ports)

    async def _text(self, pod: CountedPod) -> str:
        container = self._entered_by.get(pod.uid)
        if container is not None:
            return await output_of(self._cluster, pod, READ, container)
        try:
            return await output_of(self._cluster, pod, READ)
        except NoSuchCommand:
            if not self._image:
                raise CountingFailed(
                    f"The image of the pod {pod.name} has no cat, so its connections cannot be read from inside. "
                    "Allow a container to be added to it (enter_pods: ephemeral), or count by another source."
                ) from None
        added = self._entered_by[pod.uid] = await self._enter(pod)
        return await output_of(self._cluster, pod, READ, added)

    async def _enter(self, pod: CountedPod) -> str:
        """Add a container that waits; its name. It shares the pod's network, and stays until the pod ends.

        Asking for it again changes nothing and tells how it is, so no right but that to add it is needed. One that
        has ended can neither be started again nor taken away, hence the numbers.
        """
        try:
            async with asyncio.timeout(STARTED_WITHIN_S):
                for number in count(1):
                    name = f"{ADDED}-{number}"
                    while (state := await self._asked_for(pod, name)) != "terminated":
                        if state == "running":
                            return name
                        await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            pass
        raise CountingFailed(
            f"The container that was added to the pod {pod.name} to read its connections (image {self._image}) did not "
            f"start within {STARTED_WITHIN_S:g} s. Check SCALE_DEBUG_IMAGE, or count by another source."
        )

    async def _asked_for(self, pod: CountedPod, name: str) -> str:
        """How the container of this name is: "running", "waiting", "terminated", "" when the cluster does not say."""
        container = {
            "name": name,
            "image": self._image,
            "command": ["sleep", str(ADDED_LIVES_S)],
            "securityContext": AS_RESTRICTED,
        }
        wanted = {"spec": {"ephemeralContainers": [container]}}
        document = await self._cluster.patch(f"{pod.path}/ephemeralcontainers", wanted)
        states = list_at(document, "status", "ephemeralContainerStatuses")
        return next((next(iter(dict_at(state, "state")), "") for state in states if text_at(state, "name") == name), "")


class NoSuchCommand(CountingFailed):
    """The container has no such program."""


async def output_of(cluster: ClusterClient, pod: CountedPod, command: tuple[str, ...], container: str = "") -> str:
    """Standard output, at most MOST_BYTES. Raises NoSuchCommand, CountingFailed, ClusterForbidden, ClusterUnavailable.

    container: "" for the one that serves.
    """
    from aiohttp import ClientWSTimeout, WSServerHandshakeError

    path = f"{pod.path}/exec"
    api = await cluster.api()
    named = container or pod.container
    query = [("command", part) for part in command] + [("stdout", "true"), ("stderr", "true")]
    query += [("container", named)] if named else []
    _, url, headers, _, _ = await api.param_serialize(
        "GET", path, query_params=query, header_params={}, auth_settings=[TOKEN]
    )
    host = api.configuration.host
    with border(host, path, LIMIT_S):
        try:
            async with (
                asyncio.timeout(LIMIT_S),
                _pool(api).ws_connect(
                    url, headers=headers, protocols=(PROTOCOL,), timeout=ClientWSTimeout(ws_close=1.0), max_msg_size=0
                ) as socket,
            ):
                return await _read(socket, pod, command)
        except WSServerHandshakeError as refused:
            if refused.status == 403:  # what the cluster says of it is not to be had here
                raise forbidden(host, path, RULES) from refused
            said = json.dumps({"message": str(refused.message)}).encode()
            raise of_status(host, "GET", path, refused.status, said) from refused


def _pool(api: Any) -> Any:
    """The package makes its pool of connections with its first request."""
    rest = api.rest_client
    if rest.pool_manager is None:
        rest.pool_manager = rest._create_pool_manager()
    return rest.pool_manager


async def _read(socket: Any, pod: CountedPod, command: tuple[str, ...]) -> str:
    written = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
    async for message in socket:
        data = message.data if isinstance(message.data, bytes) else str(message.data).encode()
        channel = data[0] if data else 0
        if channel in written:
            written[channel] += data[1:]
        if len(written[STDOUT]) > MOST_BYTES:
            raise CountingFailed(f"{command[0]} in the pod {pod.name} wrote more than {MOST_BYTES // 2**20} MiB.")
    _check(written[STATUS], written[STDOUT], pod, command)
    return written[STDOUT].decode("utf-8", "replace")


def _check(status: bytearray, stdout: bytearray, pod: CountedPod, command: tuple[str, ...]) -> None:
    """A program that failed but wrote is good enough: cat goes on after a file that is not there."""
    try:
        said = json.loads(bytes(status)) if status else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("status") == "Success" or stdout:
        return
    message = quoted(str(said.get("message", "it ended without a message")))
    if any(sign in str(said.get("message")) for sign in NO_COMMAND):
        raise NoSuchCommand(f"The pod {pod.name} has no {command[0]} in its container.")
    if not status:
        raise ClusterUnavailable(f"The connection to {command[0]} in the pod {pod.name} was lost.")
    raise CountingFailed(f"{command[0]} in the pod {pod.name} failed: {message}.")


@dataclass(frozen=True, slots=True)
class NetworkShare(AtPods):
    """Fulfils RequestCounter, approximately."""

    every_s: float = EVERY_S

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        first = True
        async with self.pods_of(plan, target) as pods:
            while True:
                now = pods.now()
                began_s = self.clock.monotonic_s()
                nodes = sorted({pod.node for pod in now.values() if pod.node})
                seen, problem = await _look(pods.cluster, nodes, pods.service.namespace)
                got = {name: seen[name] for name in now if name in seen}
                if first and now and not got:
                    raise CountingFailed(
                        problem or "The kubelets report nothing about the pods' networks. Count by another source."
                    )
                first = False
                yield self._sample(began_s, got, tuple(name for name in now if name not in got), problem)
                await asyncio.sleep(self.every_s)

    def _sample(self, began_s: float, got: dict[str, PodBytes], unread: tuple[str, ...], problem: str) -> CountsSample:
        clock = self.clock
        oldest_s = min((each.measured_at_epoch_s for each in got.values()), default=clock.epoch_s())
        return CountsSample(
            began_s,
            Source.NETWORK,
            {name: each.received for name, each in got.items()},
            unread=unread,
            took_s=clock.monotonic_s() - began_s,
            lag_s=max(0.0, clock.epoch_s() - oldest_s),
            approximate=True,
            problem=problem,
        )


async def _look(cluster: ClusterClient, nodes: list[str], namespace: str) -> tuple[dict[str, PodBytes], str]:
    """{pod name: bytes} of all these nodes, and a sentence for the first that did not answer."""
    answers = await asyncio.gather(*(_of_node(cluster, node, namespace) for node in nodes))
    seen = {name: each for of_node, _ in answers for name, each in of_node.items()}
    return seen, next((problem for _, problem in answers if problem), "")


async def _of_node(cluster: ClusterClient, node: str, namespace: str) -> tuple[dict[str, PodBytes], str]:
    try:
        summary = await cluster.get(f"/api/v1/nodes/{node}/proxy/stats/summary", limit_s=SUMMARY_LIMIT_S)
        return received_bytes(summary, namespace), ""
    except ScaleError as error:
        return {}, str(error)
    except Exception as error:
        log.exception("the network counters of the node %s could not be read", node)
        return {}, f"Reading the node {node} failed with an unexpected error ({named(error)})."
