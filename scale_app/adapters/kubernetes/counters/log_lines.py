"""A pod's log, followed line by line for as long as the pod is there: each line once, through restarts and cut
connections, which the time stamps that the cluster puts before each line make possible."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable

QUIET_S = 3_600.0
PAUSE_S = 0.5


class PodLog:
    """A log can be asked for by its pod's name only, and another pod may take that: see `end`.

    from_now: leave out what was logged before. newest: the stamp of the last line that was given or left out, "" for
    none; lines up to it are left out. streams: so often it was opened. problem: why it cannot be followed now, "" while
    it is.
    """

    def __init__(self, cluster: Cluster, pod: CountedPod, from_now: bool, newest: str = "") -> None:
        self._cluster = cluster
        self._pod = pod
        self._from_now = from_now
        self._ending = self._gone = False
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
                async with self._cluster.lines(f"{self._pod.path}/log", self._query(), quiet_s=QUIET_S) as stream:
                    self.problem = ""
                    self.streams += 1
                    self.opened.set()
                    async for stamped in stream:
                        stamp, _, line = stamped.partition(b" ")
                        if self._is_new(stamp.decode("ascii", "replace")):
                            yield line
                if self._ending:
                    return
            except (ClusterForbidden, NotThere):
                raise
            except ClusterUnavailable as error:
                self.problem = str(error)
                self.opened.set()
            await asyncio.sleep(PAUSE_S)

    def _query(self) -> dict[str, str]:
        if self._from_now and not self.newest:
            # A log that says nothing at all is not even opened by the kubelet, so its last old line is asked for too.
            self.newest = _now()
            begin = {"tailLines": "1"}
        else:
            begin = {"sinceTime": self.newest} if self.newest else {}
        container = {"container": self._pod.container} if self._pod.container else {}
        return {"follow": "true", "timestamps": "true", **container, **begin}

    def _is_new(self, stamp: str) -> bool:
        """False for what was logged before and what the cluster sends again: sinceTime knows whole seconds only."""
        if _padded(stamp) <= _padded(self.newest):
            return False
        self.newest = stamp
        return True


def _padded(stamp: str) -> str:
    """Stamps of one length, so that they compare as text: the cluster leaves out zeros at the end."""
    seconds, _, fraction = stamp.removesuffix("Z").partition(".")
    return f"{seconds}.{fraction:0<9}"


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
