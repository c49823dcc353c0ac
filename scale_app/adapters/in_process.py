"""Leases of one process that shares with nobody: the same promises as those of several replicas."""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.domain.errors import LeaseLost
from scale_app.ports import Clock
from scale_app.replica_ports import LEASE_S, Lease


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
