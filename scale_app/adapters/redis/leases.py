"""Leases in Redis. A lease is two keys: its holder, which Redis lets expire, and the number of its newest claim, which
stays for a day.

Whoever carries the newest number may write. A number is at least the microseconds since 1970 of Redis's clock, so that
one that follows a loss of all data is still the higher one.
"""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.adapters.redis.connection import Server
from scale_app.domain.errors import LeaseLost
from scale_app.replica_ports import LEASE_S, Lease

KEPT_MS = 86_400_000
MINE = """
local function mine(key, number)
  local newest = redis.call('GET', key)
  return not newest or newest == number
end
"""
"""Nobody has claimed it since: then its number is the newest one, or was forgotten."""
CLAIM = """
local holder, last = redis.call('GET', KEYS[1]), tonumber(redis.call('GET', KEYS[2]) or '0')
if holder and holder ~= ARGV[1] then return false end
if not holder or last == 0 then
  local now = redis.call('TIME')
  last = math.max(last + 1, now[1] * 1000000 + now[2])
end
local number = string.format('%.0f', last)
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], number, 'PX', ARGV[3])
return number
"""
RENEW = f"""{MINE}
if not mine(KEYS[2], ARGV[4]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
return 1
"""
RELEASE = "if redis.call('GET', KEYS[2]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"


class RedisLeases:
    """Fulfils replica_ports.Leases. Its methods raise BusUnavailable."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def claim(self, name: str, holder: str) -> Lease | None:
        values = (holder, int(LEASE_S * 1000), KEPT_MS)
        number = await self._server.run("Claiming a lease", CLAIM, self._keys(name), values)
        return None if number is None else Lease(name, holder, int(number))

    async def renew(self, lease: Lease) -> None:
        values = (lease.holder, int(LEASE_S * 1000), KEPT_MS, str(lease.number))
        if not await self._server.run("Renewing a lease", RENEW, self._keys(lease.name), values):
            raise LeaseLost(lease.name)

    async def release(self, lease: Lease) -> None:
        await self._server.run("Releasing a lease", RELEASE, self._keys(lease.name), (str(lease.number),))

    async def free(self, names: Sequence[str]) -> frozenset[str]:
        if not names:
            return frozenset()
        keys = [self._server.key("lease", name) for name in names]
        holders = await self._server.ask("Looking at leases", "MGET", *keys)
        return frozenset(name for name, holder in zip(names, holders, strict=True) if holder is None)

    def _keys(self, name: str) -> tuple[str, str]:
        return self._server.key("lease", name), number_key(self._server, name)


def number_key(server: Server, name: str) -> str:
    """Where the number of the newest claim of this name is."""
    return server.key("number", name)
