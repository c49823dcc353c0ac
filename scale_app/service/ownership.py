"""Which runs this server owns, and what becomes of those whose owner is gone.

Why a run is owned under a lease, and what happens when something breaks: docs/decisions/0023-replicas.md.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from scale_app.domain.errors import BusUnavailable, LeaseLost, StoreUnavailable
from scale_app.domain.record import INTERRUPTED
from scale_app.ports import Clock, RunStore
from scale_app.replica_ports import RENEW_EVERY_S, Lease, Leases, RunBus, lease_name
from scale_app.service.journal import Journal
from scale_app.service.live_run import LiveRun

log = logging.getLogger(__name__)
UNAVAILABLE = (StoreUnavailable, BusUnavailable)
LOOK_EVERY_S = 0.5
LOOKS = 4
"""So many in a row must find a run that nobody holds: an owner has had the time to take back what Redis forgot."""
TAKEN_OVER = (
    "This server did not answer the others for several seconds, so one of them marked the run as interrupted. Its load "
    "was ended. The seconds shown were stored before."
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A run of this server."""

    lease: Lease
    live: LiveRun
    journal: Journal


class Ownership:
    """Holds the lease of every run of this server until all of it is stored. holder: this server's name for others."""

    def __init__(self, leases: Leases, store: RunStore, clock: Clock, bus: RunBus | None = None) -> None:
        """bus: where those that follow a run are told that it was interrupted; None where nobody does."""
        self._leases = leases
        self._bus = bus
        self._store = store
        self._clock = clock
        self._owned: dict[str, Owned] = {}
        self._away = False
        self.holder = uuid.uuid4().hex

    @property
    def ids(self) -> tuple[str, ...]:
        """Of the runs that this server owns."""
        return tuple(self._owned)

    async def claim(self, run_id: str) -> Lease:
        """The lease of a run that begins. Raises StoreUnavailable, BusUnavailable."""
        lease = await self._leases.claim(lease_name(run_id), self.holder)
        assert lease is not None, "nobody else knows of a run that begins"
        return lease

    def add(self, run_id: str, owned: Owned) -> None:
        """Hold this lease from now on."""
        self._owned[run_id] = owned

    async def let_go(self, run_id: str) -> None:
        """All of the run is stored, so that nobody need own it any more."""
        owned = self._owned.pop(run_id, None)
        try:
            if owned:
                await self._leases.release(owned.lease)
        except UNAVAILABLE as error:
            log.warning("the lease of run %s runs out by itself: %s", run_id, error)

    async def keep(self) -> None:
        """Renew all leases for as long as the process lives, and end the runs that were lost."""
        while True:
            await self._clock.sleep(RENEW_EVERY_S)
            await asyncio.gather(*map(self._keep_one, list(self._owned.items())))

    async def _keep_one(self, item: tuple[str, Owned]) -> None:
        run_id, owned = item
        try:
            await self._leases.renew(owned.lease)
            self._away = False
        except LeaseLost:
            self._lose(run_id, owned)
        except UNAVAILABLE as error:
            if not self._away:
                log.error("runs go on, but what the servers share cannot be reached: %s", error)
            self._away = True
        if owned.journal.lost:
            self._lose(run_id, owned)

    def _lose(self, run_id: str, owned: Owned) -> None:
        if self._owned.pop(run_id, None):
            log.error("run %s was taken from this server, which did not answer for several seconds", run_id)
            owned.journal.drop()
            owned.live.interrupt(TAKEN_OVER)

    async def look_after_others(self, seen: Callable[[Collection[str]], None]) -> None:
        """Mark the runs of servers that are gone as interrupted, for as long as the process lives.

        seen: told at every look which runs of others are stored as active.
        """
        looks: dict[str, int] = {}
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                others = [run_id for run_id in await self._store.active() if run_id not in self._owned]
                seen(others)
                free = await self._without_owner(others)
                looks = {run_id: looks.get(run_id, 0) + 1 for run_id in free}
                await self._interrupt(run_id for run_id, seen in looks.items() if seen >= LOOKS)
            except UNAVAILABLE:
                looks = {}

    async def _without_owner(self, run_ids: Iterable[str]) -> list[str]:
        names = {lease_name(run_id): run_id for run_id in run_ids}
        return [names[name] for name in await self._leases.free(list(names))] if names else []

    async def _interrupt(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            if lease := await self._leases.claim(lease_name(run_id), self.holder):
                for marked in await self._store.mark_interrupted(INTERRUPTED, only=[run_id]):
                    log.warning("run %s was interrupted: the server that ran it is gone", marked)
                if self._bus:
                    await self._bus.end(lease, run_id)
                await self._leases.release(lease)
