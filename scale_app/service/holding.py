"""Who may use a database: one server alone, or all that share one Redis. Held under a lease in the database itself, so
that a server of another machine is refused."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scale_app.domain.errors import BusUnavailable, LeaseLost, StoreUnavailable
from scale_app.ports import Clock
from scale_app.replica_ports import LEASE_S, RENEW_EVERY_S, Lease, Leases

log = logging.getLogger(__name__)
DATABASE = "database"
TRIES = round(2 * LEASE_S / RENEW_EVERY_S)
"""So long that the lease of a server that was killed has run out."""
REFUSED = (
    "Another Scale uses the same database (SCALE_DATABASE_URL), on this or another machine. Several may only where all "
    "share one Redis (SCALE_REDIS_URL). Ask it by a command that takes --server, stop it, or use another database."
)


@dataclass(frozen=True, slots=True)
class Users:
    """Those that use the database together. name: the same for all of them. again: called with the name, each time that
    the lease was renewed."""

    name: Callable[[], Awaitable[str]]
    again: Callable[[str], Awaitable[None]]
    alone: bool


class Holding:
    """The database's lease, held for the users of whom this server is one. lost: called when others have taken it."""

    def __init__(self, leases: Leases, users: Users, clock: Clock, lost: Callable[[], None]) -> None:
        self._leases = leases
        self._users = users
        self._clock = clock
        self._lost = lost
        self._lease: Lease | None = None

    async def claim(self) -> None:
        """Waits for the end of a lease whose holder may be gone. Raises StoreUnavailable, BusUnavailable."""
        for _ in range(TRIES):
            if lease := await self._leases.claim(DATABASE, await self._users.name()):
                self._lease = lease
                return
            await self._clock.sleep(RENEW_EVERY_S)
        raise StoreUnavailable(REFUSED)

    async def keep(self) -> None:
        """Renew it until it is lost. An outage changes nothing, unless others take the database meanwhile."""
        assert self._lease is not None
        while True:
            await self._clock.sleep(RENEW_EVERY_S)
            try:
                await self._leases.renew(self._lease)
                await self._users.again(self._lease.holder)
            except LeaseLost:
                log.error("another Scale has taken the database while this server did not answer; this server ends")
                return self._lost()
            except (StoreUnavailable, BusUnavailable):
                continue  # whoever stores or shares something tells of it

    async def let_go(self) -> None:
        """Let others use the database at once, if this server used it alone."""
        if self._lease and self._users.alone:
            try:
                await self._leases.release(self._lease)
            except StoreUnavailable as error:
                log.warning("the lease of the database runs out by itself: %s", error)
