"""One kind of object, listed and then watched for ever: the list-and-watch loop of every Kubernetes client.

The package has an informer, but it is threads and callbacks for its blocking client; ours lives in the hub's event
loop, ends with its run, and must tell a person when what it knows may be old.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from scale_app.adapters.kubernetes.border import Gone
from scale_app.adapters.kubernetes.client import ClusterClient, Json
from scale_app.adapters.kubernetes.objects import dicts_at, text_at
from scale_app.domain.errors import ClusterForbidden, ClusterUnavailable

T = TypeVar("T")
PAGE = 500


@dataclass(frozen=True, slots=True)
class Timing:
    """How patient a list-and-watch loop is.

    watch_s: a watch is ended by the server after this, so that a server that fell silent is noticed soon.
    pauses_s: before the first, second ... try after a failure; the last one stays.
    """

    watch_s: int = 30
    grace_s: float = 10.0
    pauses_s: tuple[float, ...] = (0.0, 0.5, 1.0, 2.0, 4.0, 5.0)


async def listed(cluster: ClusterClient, path: str, query: Mapping[str, str] | None = None) -> tuple[list[Json], str]:
    """Every object of a kind, page by page, and the version of the list. Raises ClusterUnavailable."""
    found: list[Json] = []
    more = ""
    while True:
        page = await cluster.get(path, {**(query or {}), "limit": PAGE, **({"continue": more} if more else {})})
        found += dicts_at(page, "items")
        more = text_at(page, "metadata", "continue")
        if not more:
            return found, text_at(page, "metadata", "resourceVersion")


class ListWatch(Generic[T]):
    """Keeps `objects` as the cluster has them, by name, and calls on_change after each change.

    on_trouble: called with a sentence when the objects may be old, and with "" when they are as they should be.
    """

    def __init__(
        self,
        cluster: ClusterClient,
        path: str,
        read: Callable[[Json], T],
        query: Mapping[str, str] | None = None,
        timing: Timing = Timing(),
    ) -> None:
        self.objects: dict[str, T] = {}
        self.known = False
        self._cluster = cluster
        self.path = path
        self._read = read
        self.query = dict(query or {})
        self._timing = timing
        self._failures = 0
        self._watched = False
        self._trouble = ""

    async def follow(self, on_change: Callable[[], None], on_trouble: Callable[[str], None]) -> None:
        """For ever. Raises ClusterForbidden when the first list or the first watch is refused, and nothing else."""
        while True:
            try:
                version = await self._list()
                self._tell_trouble("", on_trouble)
                on_change()
            except ClusterUnavailable as error:
                if isinstance(error, ClusterForbidden) and not self.known:
                    raise
                if not isinstance(error, Gone):  # a list of many pages took too long: it is begun anew
                    self._tell_trouble(str(error), on_trouble)
            else:
                await self._watch_until_lost(version, on_change)
            self._failures += 1
            pauses_s = self._timing.pauses_s
            await asyncio.sleep(pauses_s[min(self._failures, len(pauses_s)) - 1])

    async def _watch_until_lost(self, version: str, on_change: Callable[[], None]) -> None:
        """Watch until a version expired or a connection was lost: the next list tells whether that is trouble."""
        try:
            while True:
                version, changes = await self._watch_once(version, on_change)
                if not changes:
                    # A server that ends watches at once must not be asked in a circle.
                    await asyncio.sleep(self._timing.pauses_s[-1] / 50)
        except ClusterUnavailable as error:
            if isinstance(error, ClusterForbidden) and not self._watched:
                raise

    def _tell_trouble(self, trouble: str, on_trouble: Callable[[str], None]) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            on_trouble(trouble)

    async def _list(self) -> str:
        items, version = await listed(self._cluster, self.path, self.query)
        self.objects = {_key(item): self._read(item) for item in items}
        self.known = True
        return version

    async def _watch_once(self, version: str, on_change: Callable[[], None]) -> tuple[str, int]:
        limit_s, changes = self._timing.watch_s, 0
        query = {**self.query, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": version}
        query["timeoutSeconds"] = str(limit_s)
        async with self._cluster.lines(self.path, query, quiet_s=limit_s + self._timing.grace_s) as lines:
            self._watched = True
            async for line in lines:
                kind, item = _event(line, self.path)
                version = text_at(item, "metadata", "resourceVersion") or version
                changes += 1
                self._failures = 0
                if kind != "BOOKMARK":
                    self._take(kind, item)
                    on_change()
        self._failures = 0
        return version, changes

    def _take(self, kind: str, item: Json) -> None:
        if kind == "DELETED":
            self.objects.pop(_key(item), None)
        else:
            self.objects[_key(item)] = self._read(item)


def _key(item: Json) -> str:
    return f"{text_at(item, 'metadata', 'namespace')}/{text_at(item, 'metadata', 'name')}"


def _event(line: bytes, path: str) -> tuple[str, Json]:
    """A watch's line. Raises Gone for the error 410, ClusterUnavailable for another and for what is no event."""
    try:
        event: Any = json.loads(line)
        kind, item = event["type"], event["object"]
    except (ValueError, KeyError, TypeError, RecursionError):
        kind, item = "", None
    if not isinstance(item, dict) or kind not in ("ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"):
        raise ClusterUnavailable(f"The cluster sent something for {path} that is not a change. Scale asks again.")
    if kind == "ERROR":
        if item.get("code") == 410:
            raise Gone(f"The cluster no longer has the version of {path} that was asked for (410).")
        raise ClusterUnavailable(f"The cluster ended the watch of {path} with error {item.get('code')}.")
    return kind, item
