"""What the owner of a run does for other servers: it tells them what happens, and carries out what they ask for."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import partial

from scale_app.domain.errors import BusUnavailable, LeaseLost
from scale_app.domain.plan import Limits
from scale_app.ports import Clock
from scale_app.replica_ports import Lease, RunBus
from scale_app.service.broadcast import Broadcast
from scale_app.service.live_run import LiveRun
from scale_app.service.run_elsewhere import answer_to
from scale_app.service.tasks import first_of

log = logging.getLogger(__name__)
PAUSE_S = 0.5


class Telling:
    """bus: where it is told. limits: of one run."""

    def __init__(self, bus: RunBus, broadcast: Broadcast, clock: Clock, limits: Limits) -> None:
        self._bus = bus
        self._broadcast = broadcast
        self._clock = clock
        self._limits = limits

    async def tell(self, run_id: str, lease: Lease, live: LiveRun) -> None:
        """Append to the run's stream as a viewer of it; end the stream once all of the run is stored."""
        try:
            with self._broadcast.subscribe(run_id, ()) as subscription:
                async for numbered in subscription.numbered():
                    await self._until_taken(partial(self._bus.append, lease, run_id, [numbered]))
            await live.stored.wait()
            await self._until_taken(partial(self._bus.end, lease, run_id))
        except LeaseLost as error:
            log.error("other servers are told nothing more of run %s: %s", run_id, error)

    async def obey(self, lease: Lease, live: LiveRun) -> None:
        """Answer what others ask of the run, until it is over."""
        await first_of(self._answer(lease.name, live), live.over.wait())

    async def _answer(self, name: str, live: LiveRun) -> None:
        while True:
            try:
                async with aclosing(self._bus.commands(name)) as coming:
                    async for asked in coming:
                        await asked.answer(await answer_to(live, asked.text, self._limits))
            except BusUnavailable:
                await self._clock.sleep(PAUSE_S)

    async def _until_taken(self, write: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await write()
            except BusUnavailable:  # older snapshots are left out meanwhile, as for any slow viewer
                await self._clock.sleep(PAUSE_S)
