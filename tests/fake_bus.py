"""A bus in memory, for servers that a test runs in its own process; its promises are those of the contract."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from scale_app.adapters.in_process import LocalLeases
from scale_app.domain.errors import LeaseLost, OwnerAway
from scale_app.domain.events import Numbered
from scale_app.replica_ports import Lease

KEPT = 300


@dataclass(eq=False)
class AskedInMemory:
    """Fulfils replica_ports.Asked."""

    text: str
    answered: asyncio.Future[str] = field(default_factory=asyncio.Future)

    async def answer(self, text: str) -> None:
        if not self.answered.done():
            self.answered.set_result(text)


@dataclass
class Inbox:
    """Commands that were not taken yet. came: set when there may be one."""

    waiting: deque[AskedInMemory] = field(default_factory=deque)
    came: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass
class Stream:
    """kept: the newest events of a run. grown: set, and made anew, when something happens to it."""

    kept: deque[Numbered] = field(default_factory=lambda: deque(maxlen=KEPT))
    ended: bool = False
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def grow(self) -> None:
        self.grown.set()
        self.grown = asyncio.Event()


class FakeBus:
    """Fulfils replica_ports.RunBus for replicas in this process."""

    def __init__(self, leases: LocalLeases) -> None:
        self._leases = leases
        self._streams: dict[str, Stream] = defaultdict(Stream)
        self._inboxes: dict[str, Inbox] = defaultdict(Inbox)

    async def append(self, lease: Lease, run_id: str, events: Sequence[Numbered]) -> None:
        self._leases.check(lease)
        stream = self._streams[run_id]
        if stream.ended:
            raise LeaseLost(lease.name)
        newest = stream.kept[-1].seq if stream.kept else -1
        stream.kept.extend(numbered for numbered in events if numbered.seq > newest)
        stream.grow()

    async def end(self, lease: Lease, run_id: str) -> None:
        self._leases.check(lease)
        self._streams[run_id].ended = True
        self._streams[run_id].grow()

    async def read(self, run_id: str, after: int = -1) -> list[Numbered]:
        return [numbered for numbered in self._streams[run_id].kept if numbered.seq > after]

    async def follow(self, run_id: str, after: int = -1) -> AsyncGenerator[Numbered, None]:
        stream = self._streams[run_id]
        while True:
            grown, ended = stream.grown, stream.ended
            for numbered in await self.read(run_id, after):
                after = numbered.seq
                yield numbered
            if ended:
                return
            await grown.wait()

    async def ask(self, holder: str, command: str, limit_s: float) -> str:
        inbox, asked = self._inboxes[holder], AskedInMemory(command)
        inbox.waiting.append(asked)
        inbox.came.set()
        try:
            async with asyncio.timeout(limit_s):
                return await asked.answered
        except TimeoutError:
            raise OwnerAway(taken=asked not in inbox.waiting) from None
        finally:
            with suppress(ValueError):  # it was taken
                inbox.waiting.remove(asked)

    async def commands(self, holder: str) -> AsyncGenerator[AskedInMemory, None]:
        inbox = self._inboxes[holder]
        while True:
            while inbox.waiting:
                yield inbox.waiting.popleft()
            inbox.came.clear()
            await inbox.came.wait()
