"""What every PodDirectory promises: held by a fake that service tests could use, by the built-in target, and by
Kubernetes against an API server of our own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol, cast

import pytest

from scale_app.adapters.demo_cluster import DemoCluster
from scale_app.adapters.kubernetes.client import Clusters
from scale_app.adapters.kubernetes.directory import KubernetesPods, WatchTiming
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.cluster import ServiceRef
from scale_app.domain.demo import DemoChange
from scale_app.domain.errors import TargetUnavailable
from scale_app.domain.samples import PodSeen, PodsLost, PodsSample, Sample
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted, PodDirectory
from tests.fake_api_server import FakeApiServer
from tests.kubernetes_objects import endpoint, endpoint_slice, service

TARGET = Admitted("http://127.0.0.1/", Source.DEMO, (), ServiceRef("shop", "cart"))
LIMIT_S = 10.0


class World(Protocol):
    """A directory together with the means to change what it lists."""

    directory: PodDirectory
    target: Admitted

    async def open(self) -> None: ...

    async def scale(self, pods: int) -> None:
        """So many pods from now on."""

    async def lose(self, pod: str) -> None:
        """The pod is gone; another takes its place and becomes ready later."""

    async def break_down(self) -> None:
        """The directory can no longer be asked."""

    async def close(self) -> None: ...


class FakeDirectory:
    """A list of pods in memory; `show` changes it and tells everyone who watches."""

    def __init__(self) -> None:
        self.pods: tuple[PodSeen, ...] = ()
        self.broken = False
        self.at_s = 0.0
        self._watchers: set[asyncio.Queue[PodsSample | None]] = set()

    def show(self, *pods: PodSeen) -> None:
        if pods == self.pods:
            return
        self.at_s += 1.0
        self.pods = pods
        for watcher in self._watchers:
            watcher.put_nowait(PodsSample(self.at_s, pods))

    def break_down(self) -> None:
        self.broken = True
        for watcher in self._watchers:
            watcher.put_nowait(None)

    async def watch(self, target: Admitted) -> AsyncGenerator[Sample, None]:
        if self.broken:
            raise TargetUnavailable("The fake directory is broken. Make a new one.")
        heard: asyncio.Queue[PodsSample | None] = asyncio.Queue()
        self._watchers.add(heard)
        try:
            yield PodsSample(self.at_s, self.pods)
            while sample := await heard.get():
                yield sample
        finally:
            self._watchers.discard(heard)
        raise TargetUnavailable("The fake directory broke down. Make a new one.")


class FakeWorld:
    def __init__(self) -> None:
        self.directory = FakeDirectory()
        self.target = TARGET
        self._made = 0
        self.directory.show(*(self._new() for _ in range(3)))

    def _new(self, *, ready: bool = True) -> PodSeen:
        self._made += 1
        return PodSeen(f"pod-{self._made}", ready=ready)

    async def open(self) -> None: ...

    async def scale(self, pods: int) -> None:
        listed = list(self.directory.pods[:pods])
        self.directory.show(*listed, *(self._new() for _ in range(pods - len(listed))))

    async def lose(self, pod: str) -> None:
        rest = [each for each in self.directory.pods if each.name != pod]
        newcomer = self._new(ready=False)
        self.directory.show(*rest, newcomer)
        self.directory.show(*rest, PodSeen(newcomer.name))

    async def break_down(self) -> None:
        self.directory.break_down()

    async def close(self) -> None: ...


class DemoWorld:
    def __init__(self) -> None:
        self.directory = DemoCluster(SystemClock())
        self.target = TARGET

    async def open(self) -> None:
        self.target = replace(TARGET, url=await self.directory.url())

    async def scale(self, pods: int) -> None:
        await self.directory.change(DemoChange(pods=pods))

    async def lose(self, pod: str) -> None:
        await self.directory.change(DemoChange(kill_pod=pod))

    async def break_down(self) -> None:
        port = int((await self.directory.url()).rstrip("/").rpartition(":")[2])
        os.kill(listener_pid(port), signal.SIGKILL)

    async def close(self) -> None:
        await self.directory.close()


class KubernetesWorld:
    def __init__(self) -> None:
        self.target = TARGET
        self._server = FakeApiServer()
        self._folder = tempfile.TemporaryDirectory()
        self._pods: list[str] = []
        self._made = 0

    async def open(self) -> None:
        await self._server.start()
        self._clusters = Clusters(self._server.kubeconfig(Path(self._folder.name)))
        timing = WatchTiming(together_s=0.0, pauses_s=(0.0, 0.02))
        self.directory = KubernetesPods(self._clusters.of, SystemClock(), timing=timing)
        self._server.put("services", service())
        await self.scale(3)

    async def scale(self, pods: int) -> None:
        self._pods = self._pods[:pods]
        self._pods += [self._new() for _ in range(pods - len(self._pods))]
        self._show()

    async def lose(self, pod: str) -> None:
        newcomer = self._new()
        self._pods = [*(each for each in self._pods if each != pod), newcomer]
        self._show(unready=newcomer)
        asyncio.get_running_loop().call_later(0.2, self._show)

    async def break_down(self) -> None:
        await self._server.stop()

    async def close(self) -> None:
        await self._clusters.close()
        await self._server.stop()
        self._folder.cleanup()

    def _new(self) -> str:
        self._made += 1
        return f"cart-{self._made}"

    def _show(self, unready: str = "") -> None:
        self._server.put("endpointslices", endpoint_slice(*(endpoint(pod, ready=pod != unready) for pod in self._pods)))


def listener_pid(port: int) -> int:
    """The process that listens on this port of the loopback address."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    (inode,) = (row[9] for row in rows if row[1] == f"0100007F:{port:04X}" and row[3] == "0A")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == f"socket:[{inode}]":
                return int(link.parts[2])
        except OSError:
            continue
    raise AssertionError(f"nobody listens on port {port}")


@pytest.fixture(params=[FakeWorld, DemoWorld, KubernetesWorld], ids=["fake", "demo", "kubernetes"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    made: World = request.param()
    await made.open()
    yield made
    await made.close()


class Watch:
    """One watcher, read sample by sample with a limit in time."""

    def __init__(self, world: World) -> None:
        self.samples = cast(AsyncGenerator[Sample, None], world.directory.watch(world.target))
        self.seen: list[PodsSample] = []

    async def next(self) -> PodsSample:
        sample = await asyncio.wait_for(anext(self.samples), LIMIT_S)
        assert isinstance(sample, PodsSample)
        self.seen.append(sample)
        return sample

    async def until(self, pods: int, *, ready: int) -> PodsSample:
        """The first sample with so many pods, of which so many are ready."""
        while True:
            sample = await self.next()
            if (len(sample.pods), sum(pod.ready for pod in sample.pods)) == (pods, ready):
                return sample

    async def trouble(self) -> str:
        """The sentence that says why the pods cannot be seen: an error when it is for good."""
        try:
            while True:
                sample = await asyncio.wait_for(anext(self.samples), LIMIT_S)
                if isinstance(sample, PodsLost):
                    return sample.problem
        except TargetUnavailable as error:
            return str(error)

    async def __aenter__(self) -> Watch:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.samples.aclose()


async def test_the_pods_that_exist_are_told_at_once(world: World) -> None:
    await world.scale(4)
    async with Watch(world) as watch:
        pods = (await watch.next()).pods
    assert len({pod.name for pod in pods}) == 4
    assert all(pod.ready and pod.weight == 1.0 for pod in pods)


async def test_each_change_of_the_number_of_pods_is_told(world: World) -> None:
    async with Watch(world) as watch:
        await watch.next()
        for pods in (6, 2, 3):
            await world.scale(pods)
            assert len((await watch.next()).pods) == pods


async def test_a_lost_pod_is_missing_and_its_replacement_becomes_ready(world: World) -> None:
    await world.scale(3)
    async with Watch(world) as watch:
        before = {pod.name for pod in (await watch.next()).pods}
        lost = sorted(before)[0]
        await world.lose(lost)
        starting = {pod.name: pod.ready for pod in (await watch.until(3, ready=2)).pods}
        after = {pod.name for pod in (await watch.until(3, ready=3)).pods}
    (newcomer,) = after - before
    assert lost not in starting
    assert not starting[newcomer]
    assert before - after == {lost}


async def test_times_never_go_backwards(world: World) -> None:
    async with Watch(world) as watch:
        await watch.next()
        for pods in (4, 5, 6):
            await world.scale(pods)
            await watch.next()
    times = [sample.at_s for sample in watch.seen]
    assert times == sorted(times)


async def test_several_watchers_are_told_the_same_and_a_late_one_only_the_present(world: World) -> None:
    async with Watch(world) as early, Watch(world) as other:
        await early.next()
        await other.next()
        await world.scale(7)
        assert (await early.next()).pods == (await other.next()).pods
        async with Watch(world) as late:
            assert (await late.next()).pods == early.seen[-1].pods


async def test_a_watcher_that_leaves_does_not_disturb_the_others(world: World) -> None:
    async with Watch(world) as stays:
        await stays.next()
        async with Watch(world) as leaves:
            await leaves.next()
        await world.scale(9)
        assert len((await stays.next()).pods) == 9


async def test_what_changes_nothing_is_not_told(world: World) -> None:
    await world.scale(3)
    async with Watch(world) as watch:
        await watch.next()
        await world.scale(3)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(watch.samples), 0.05)


async def test_a_directory_that_breaks_down_tells_every_watcher_why(world: World) -> None:
    async with Watch(world) as one, Watch(world) as other:
        await one.next()
        await other.next()
        await world.break_down()
        for watch in (one, other):
            assert re.fullmatch(r"The .*\.", await watch.trouble())
