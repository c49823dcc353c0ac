"""A hub among fakes, whose load a test plays by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from scale_app.adapters.in_process import LocalLeases
from scale_app.domain.audit import AuditEntry
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Adapters, Notifier, PodDirectory, RequestCounter
from scale_app.service.access import Access
from scale_app.service.hub import Hub
from tests.fake_bus import FakeBus
from tests.fakes import FakeClock, FakeStore
from tests.fakes_access import FakeAccessStore
from tests.fakes_hub import FakeDemo
from tests.fakes_load import OpenGate, PlayedDirectory, PlayedGenerator, PlayedLoad


class Naps:
    """Sleep that ends when the test wakes it. asked_s: how long each was to be."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []
        self._wake = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.asked_s.append(seconds)
        await self._wake.wait()

    async def end(self) -> None:
        """End those that sleep now, and let what comes of it happen."""
        self._wake.set()
        self._wake = asyncio.Event()
        await settled()


@dataclass
class Harness:
    """A hub among fakes. naps: of whoever waits before storing is tried again. beside: of another server of the same
    installation, with the same store and clock."""

    gate: OpenGate = field(default_factory=OpenGate)
    generator: PlayedGenerator = field(default_factory=PlayedGenerator)
    store: FakeStore = field(default_factory=FakeStore)
    max_runs: int = 2
    counters: Mapping[Source, RequestCounter] = field(default_factory=dict)
    directory: PodDirectory = field(default_factory=lambda: PlayedDirectory("a", "b"))
    clock: FakeClock = field(default_factory=FakeClock)
    naps: Naps = field(default_factory=Naps)
    access_store: FakeAccessStore = field(default_factory=FakeAccessStore)
    audited: list[AuditEntry] = field(default_factory=list)
    alone: bool = True
    beside: Harness | None = None
    notifiers: tuple[Notifier, ...] = ()
    leases: LocalLeases = field(init=False)
    bus: FakeBus = field(init=False)
    access: Access = field(init=False)
    adapters: Adapters = field(init=False)
    hub: Hub = field(init=False)

    def __post_init__(self) -> None:
        self.generator.clock = self.clock
        self.leases = self.beside.leases if self.beside else LocalLeases(self.clock)
        self.bus = self.beside.bus if self.beside else FakeBus(self.leases)
        self.adapters = Adapters(
            self.gate,
            {Source.HEADER: self.generator},
            {Source.HEADER: self.directory},
            self.store,
            FakeDemo(),
            self.clock,
            self.leases,
            counters=self.counters,
            notifiers=self.notifiers,
            bus=None if self.alone else self.bus,
        )
        limits = Limits(users=500, spawn_rate=500, duration_s=500)
        self.access = Access(self.access_store, self.clock, self.audited.append)
        self.hub = Hub(self.adapters, self.access, limits, self.max_runs, sleep=self.naps)

    @property
    def load(self) -> PlayedLoad:
        return self.generator.loads[-1]

    async def database_is_back(self) -> None:
        """It takes everything again, and what waited is stored."""
        self.store.broken = None
        self.store.hold_appends().set()
        await self.naps.end()
        async with asyncio.timeout(10):  # what was packed is unpacked in a thread
            while self.hub.storing.waiting_lines:
                await asyncio.sleep(0)
        await settled()

    async def close(self) -> None:
        """The end of the process, with a database that works."""
        await self.database_is_back()
        await self.hub.close()

    async def started(self, plan: LoadPlan | None = None) -> str:
        """A run whose generator is ready."""
        run_id = await self.hub.start(plan or LoadPlan())
        await settled()
        self.load.ready()
        await settled()
        return run_id


async def settled() -> None:
    """Let every task take the steps that need no time."""
    for _ in range(50):
        await asyncio.sleep(0)
