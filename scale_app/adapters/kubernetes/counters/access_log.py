"""Counts requests by the lines of access logs: follows the logs of many pods at once, and takes each line once.

A log is followed for as long as its pod is there, through restarts and cut connections, which the time stamps that the
cluster puts before each line make possible.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from urllib.parse import urlsplit

from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import ClusterClient
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.adapters.kubernetes.counters.polling import AtPods, Counts, PodReadings
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable, CountingFailed, ScaleError, named
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.domain.target import USER_AGENT
from scale_app.ports import Admitted
from scale_app.readings.access_log import Entry, LogFormat, Ours, Whose

log = logging.getLogger(__name__)
MOST_LOGS = 200
OPENING_LIMIT_S = 2.0
"""An empty log is opened by its first line only, so it is not waited for."""
QUIET_S = 3_600.0
PAUSE_S = 0.5
ENDED = "Following the log of {pod} ended with an unexpected error ({error}). Count by another source."
LAG_S = 0.25
"""From a request's end to its line's arrival; measured: a thousandth of it mostly, 0.1 s at the 99th percentile."""


@dataclass(frozen=True, slots=True)
class AccessLogCounter(AtPods):
    """Fulfils RequestCounter."""

    async def counts(self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]) -> Counts:
        pods = self.pods_of(plan, target)
        counts = LineCounts(plan, lambda pod, _: pod)
        following = LogFollowing(pods.cluster, counts.take)
        try:
            async with pods:
                while True:
                    pods.changed.clear()
                    now = pods.now()
                    await following.follow(now)
                    yield _sample(self.clock.monotonic_s(), counts, now, following.problems(now))
                    await _pause(pods.changed, self.every_s)
        finally:
            await following.close()


def _sample(at_s: float, counts: LineCounts, now: Collection[str], failed: Mapping[str, str]) -> CountsSample:
    """now: names of the pods that are there. failed: {pod name: why its log cannot be followed}."""
    requests = {name: counts.ours.get(name, 0) for name in {*now, *counts.ours} - failed.keys()}
    return CountsSample(
        at_s,
        Source.ACCESS_LOG,
        requests,
        unread=tuple(failed),
        others=counts.others,
        lag_s=LAG_S,
        problem=PodReadings(at_s, 0.0, requests, failed).problem,
    )


class LineCounts:
    """ours: {pod name: lines of our requests}. others: lines of other clients' requests.

    pod_of: who answered, from the name of the pod that logs and what it logs; a line for which it gives "" is left out.
    """

    def __init__(self, plan: LoadPlan, pod_of: Callable[[str, Entry], str]) -> None:
        self.ours: dict[str, int] = {}
        self.others = 0
        self._format = LogFormat(plan.log_pattern)
        self._ours = _our_requests(plan)
        self._pod_of = pod_of

    def take(self, logs: str, line: bytes) -> None:
        """Count a line. logs: name of the pod whose log it is from."""
        entry = self._format.entry(line)
        pod = self._pod_of(logs, entry) if entry else ""
        if not pod:
            return
        if self._ours.whose(entry) is Whose.OURS:
            self.ours[pod] = self.ours.get(pod, 0) + 1
        else:
            self.others += 1


def _our_requests(plan: LoadPlan) -> Ours:
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


class LogFollowing:
    """take: called with the pod's name and each line. Close it at the end.

    A pod is known by its uid: one that takes the name of another, as in a StatefulSet, has a log of its own.
    """

    def __init__(self, cluster: ClusterClient, take: Callable[[str, bytes], None]) -> None:
        self._cluster = cluster
        self._take = take
        self._logs: dict[str, PodLog] = {}
        self._tasks: dict[PodLog, asyncio.Task[None]] = {}
        self._begun = False

    async def follow(self, pods: Mapping[str, CountedPod]) -> None:
        """Begin with the pods that are new; those of the first call from now on, later ones from their beginning.

        Raises CountingFailed when there are too many, or when none of the first can be followed.
        """
        if len(pods) > MOST_LOGS:
            raise CountingFailed(
                f"At most {MOST_LOGS} logs can be followed at once, and there are {len(pods)} pods. "
                "Count by another source."
            )
        self._end_those_that_end({_key(pod): pod for pod in pods.values()})
        for pod in pods.values():
            if _key(pod) not in self._logs:
                await self._begin(pod)
        if not self._begun:
            await self._wait_for_all()
        self._begun = True

    def problems(self, pods: Mapping[str, CountedPod]) -> dict[str, str]:
        """{pod name: why its log cannot be followed}, of the pods that are there."""
        logs = {name: self._logs.get(_key(pod)) for name, pod in pods.items()}
        return {name: log.problem for name, log in logs.items() if log and log.problem}

    async def close(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _begin(self, pod: CountedPod) -> None:
        newest = await self._succeed(pod.name)
        new = self._logs[_key(pod)] = PodLog(self._cluster, pod, from_now=not self._begun, newest=newest)
        self._tasks[new] = asyncio.create_task(self._drain(new))

    async def _succeed(self, name: str) -> str:
        """Part with the pod that had this name; the stamp from which the new one's log is to be read on, "" for all.

        A stream that was opened again, before anybody knew that the pod had gone, may have been the new one's.
        """
        before = next((log for log in reversed(self._logs.values()) if log.pod.name == name), None)
        if before is None or before.streams <= 1:
            return ""
        self._tasks[before].cancel()
        await asyncio.gather(self._tasks[before], return_exceptions=True)
        return before.newest

    def _end_those_that_end(self, now: Mapping[str, CountedPod]) -> None:
        for key, pod_log in self._logs.items():
            if key not in now or now[key].ending:
                pod_log.end(gone=key not in now)

    async def _wait_for_all(self) -> None:
        opened = [asyncio.create_task(log.opened.wait()) for log in self._logs.values()]
        if opened:
            await asyncio.wait(opened, timeout=OPENING_LIMIT_S)
        for task in opened:
            task.cancel()
        if self._logs and all(log.lost for log in self._logs.values()):
            raise CountingFailed(next(log.problem for log in self._logs.values()))

    async def _drain(self, pod_log: PodLog) -> None:
        name = pod_log.pod.name
        try:
            async for line in pod_log.lines():
                self._take(name, line)
        except NotThere:
            return  # the pod has ended, and its log with it
        except ScaleError as error:
            pod_log.problem, pod_log.lost = str(error), True
        except Exception as error:
            log.exception("the log of %s is no longer followed", name)
            pod_log.problem, pod_log.lost = ENDED.format(pod=name, error=named(error)), True
        finally:
            pod_log.opened.set()


def _key(pod: CountedPod) -> str:
    """Of this pod and no other, where its uid is known."""
    return pod.uid or pod.name


class PodLog:
    """A log can be asked for by its pod's name only, and another pod may take that: see `end`.

    from_now: leave out what was logged before. newest: the newest stamp of the lines that were given or left out, ""
    for none; a stream begins after it. Within a stream no stamp is looked at: a node's clock may step back, and what a
    container prints on two streams is not in order. streams: so often it was opened. problem: why it cannot be
    followed now, "" while it is. lost: nor ever again.
    """

    def __init__(self, cluster: ClusterClient, pod: CountedPod, from_now: bool, newest: str = "") -> None:
        self._cluster = cluster
        self.pod = pod
        self._from_now = from_now
        self._ending = self._gone = self.lost = False
        self.newest = newest
        self.streams = 0
        self.problem = ""
        self.opened = asyncio.Event()

    def end(self, gone: bool) -> None:
        """The pod is ending: the end of its stream is that of its log. gone: nothing of it is opened again."""
        self._ending, self._gone = True, gone

    async def lines(self) -> AsyncGenerator[bytes, None]:
        """Every line, until the pod is gone. Raises ClusterForbidden, NotThere, and nothing else."""
        while not self._gone:
            try:
                if self._from_now:
                    await self._leave_out_what_was_before()
                async with self._stream(follow="true", **self._begin()) as stream:
                    self.problem = ""
                    self.streams += 1
                    self.opened.set()
                    async for line in self._new(stream):
                        yield line
                if self._ending:
                    return
            except (ClusterForbidden, NotThere):
                raise
            except ClusterUnavailable as error:
                self.problem = str(error)
                self.opened.set()
            await asyncio.sleep(PAUSE_S)

    async def _leave_out_what_was_before(self) -> None:
        """By the log's own last stamp: the node's clock may differ from this machine's."""
        async with self._stream(tailLines="1") as last:
            async for stamped in last:
                self.newest = max(self.newest, _stamp_of(stamped))
        self._from_now = False

    def _begin(self) -> dict[str, str]:
        return {"sinceTime": self.newest} if self.newest else {}

    def _stream(self, **query: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        container = {"container": self.pod.container} if self.pod.container else {}
        path = f"{self.pod.path}/log"
        return self._cluster.lines(path, {"timestamps": "true", **container, **query}, quiet_s=QUIET_S)

    async def _new(self, stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Without what the cluster sends again at the beginning: sinceTime knows whole seconds only."""
        sent_before, again = self.newest, True
        async for stamped in stream:
            stamp = _stamp_of(stamped)
            again = again and stamp <= sent_before
            if not again:
                self.newest = max(self.newest, stamp)
                yield stamped.partition(b" ")[2]


def _stamp_of(stamped: bytes) -> str:
    """All of one length, so that they compare as text: the cluster leaves out zeros at the end."""
    seconds, _, fraction = stamped.partition(b" ")[0].decode("ascii", "replace").removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<9}Z"
