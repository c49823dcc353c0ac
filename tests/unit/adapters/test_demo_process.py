"""What the service side of the built-in target says when its process ends or speaks in a way that nobody foresaw."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from scale_app.adapters.demo_cluster import DemoProcess
from scale_app.codec import to_json
from scale_app.domain.demo import DemoReport, DemoStatus, Fault, Policy
from scale_app.domain.errors import TargetGone, TargetUnavailable
from scale_app.domain.samples import PodSeen, PodsSample, Sample
from tests.fakes import FakeClock

STATUS = DemoStatus("http://127.0.0.1:1/", Policy.RANDOM, Fault.NONE, 3.0, (), {})


class PlayedChild:
    """A child process whose lines the test gives; an error among them is raised, None is the end."""

    def __init__(self) -> None:
        self.said: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()
        self.killed = False
        self.error_tail = ""

    async def lines(self) -> AsyncIterator[bytes]:
        while (line := await self.said.get()) is not None:
            if isinstance(line, Exception):
                raise line
            yield line

    async def send(self, line: bytes) -> None:
        """Nobody answers."""

    def kill(self) -> None:
        self.killed = True

    async def end(self, grace_s: float) -> int:
        return -9


@pytest.fixture
def child() -> PlayedChild:
    return PlayedChild()


async def watched(child: PlayedChild) -> tuple[DemoProcess, asyncio.Task[list[Sample]]]:
    """A process that has said where it listens, and somebody who watches its pods."""
    process = DemoProcess(child, FakeClock())  # type: ignore[arg-type]
    child.said.put_nowait(to_json(DemoReport(STATUS)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    async def watch() -> list[Sample]:
        return [sample async for sample in process.pods()]

    watching = asyncio.create_task(watch())
    await asyncio.sleep(0)
    return process, watching


@pytest.mark.parametrize(
    ("last", "said"),
    [(None, "ended"), (b"no report\n", "is not a report"), (RuntimeError("boom"), "RuntimeError: boom")],
)
async def test_whoever_watches_the_pods_hears_that_the_target_is_gone(
    child: PlayedChild, last: bytes | Exception | None, said: str
) -> None:
    process, watching = await watched(child)
    asking = asyncio.create_task(process.ask(None))
    await asyncio.sleep(0)
    child.said.put_nowait(last)
    with pytest.raises(TargetGone, match=said):
        await watching
    with pytest.raises(TargetUnavailable, match=said):
        await asking
    assert said in process.lost
    assert child.killed == (last is not None)


async def test_an_end_that_was_asked_for_is_no_loss(child: PlayedChild) -> None:
    process, watching = await watched(child)
    child.said.put_nowait(None)
    await process.end()
    assert [type(sample) for sample in await watching] == [PodsSample]


async def test_whatever_the_policy_does_the_pods_are_meant_to_share_alike(child: PlayedChild) -> None:
    process, watching = await watched(child)
    pods = (PodSeen("first", weight=8.0), PodSeen("second"))
    child.said.put_nowait(to_json(DemoReport(replace(STATUS, policy=Policy.WEIGHTED, pods=pods))))
    child.said.put_nowait(None)
    await process.end()
    last = (await watching)[-1]
    assert isinstance(last, PodsSample)
    assert [pod.weight for pod in last.pods] == [1.0, 1.0]
