"""Reads each pod's own table of connections, from inside: by its own `cat`, or by a container that is added to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import count

from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.counters.at_pods import AtPods
from scale_app.adapters.kubernetes.counters.execution import NoSuchCommand, output_of
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.adapters.kubernetes.counters.polling import Reading, readings
from scale_app.adapters.kubernetes.objects import dict_at, list_at, text_at
from scale_app.domain.errors import CountingFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample
from scale_app.ports import Admitted
from scale_app.readings.network import ConnectionTable, connection_table

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


@dataclass(frozen=True, slots=True)
class ConnectionMap(AtPods):
    """Fulfils RequestCounter by ConnectionsSamples. image: of the container that is added where the plan allows it."""

    image: str = field(kw_only=True)

    async def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        """See RequestCounter."""
        pods = self.pods_of(plan, target)
        tables = _Tables(pods.cluster, self.image if plan.enter_pods == "ephemeral" else "")
        looks = readings(pods.now, tables.read, self.clock, self.every_s, sent)
        async with pods, aclosing(looks):
            async for reading in looks:
                yield _sample(reading)


def _sample(reading: Reading[ConnectionTable]) -> ConnectionsSample:
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

    def __init__(self, cluster: Cluster, image: str) -> None:
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
