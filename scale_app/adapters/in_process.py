"""Leases and bus of one process that shares with nobody: the same promises as the ones of several replicas."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from scale_app.domain.errors import LeaseLost, OwnerAway
from scale_app.domain.events import Numbered
from scale_app.ports import Clock
from scale_app.replica_ports import LEASE_S, Lease

KEPT = 300


class LocalLeases:
    """Fulfils replica_ports.Leases for holders in this process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until_s: dict[str, float] = {}
        self._newest: dict[str, Lease] = {}

    async def claim(self, name: str, holder: str) -> Lease | None:
        last = self._newest.get(name)
        if name in await self.free([name]):
            number = max(last.number + 1 if last else 0, int(self._clock.epoch_s() * 1_000_000))
            last = self._newest[name] = Lease(name, holder, number)
        if last is None or last.holder != holder:
            return None
        await self.renew(last)
        return last

    async def renew(self, lease: Lease) -> None:
        self.check(lease)
        self._newest[lease.name] = lease
        self._until_s[lease.name] = self._clock.monotonic_s() + LEASE_S

    async def release(self, lease: Lease) -> None:
        if self._newest.get(lease.name) == lease:
            self._until_s.pop(lease.name, None)

    async def free(self, names: Sequence[str]) -> frozenset[str]:
        now_s = self._clock.monotonic_s()
        return frozenset(name for name in names if self._until_s.get(name, now_s) <= now_s)

    def check(self, lease: Lease) -> None:
        """Raises LeaseLost when somebody has claimed it since."""
        if self._newest.get(lease.name, lease) != lease:
            raise LeaseLost(lease.name)


@dataclass(eq=False)
class LocalAsked:
    """Fulfils replica_ports.Asked."""

    text: str
    answered: asyncio.Future[str] = field(default_factory=asyncio.Future)

    async def answer(self, text: str) -> None:
        if not self.answered.done():
            self.answered.set_result(text)


@dataclass
class Inbox:
    """Commands that were not taken yet. came: set when there may be one."""

    waiting: deque[LocalAsked] = field(default_factory=deque)
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


class LocalBus:
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
        inbox, asked = self._inboxes[holder], LocalAsked(command)
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

    async def commands(self, holder: str) -> AsyncGenerator[LocalAsked, None]:
        inbox = self._inboxes[holder]
        while True:
            while inbox.waiting:
                yield inbox.waiting.popleft()
            inbox.came.clear()
            await inbox.came.wait()
