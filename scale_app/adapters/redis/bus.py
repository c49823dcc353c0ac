"""The bus in Redis: a stream for each run, whose entries are numbered as the run's events are, and a list for each
replica, on which it finds its commands; their answers come on a list for each command."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Any

from scale_app.adapters.redis.connection import Server
from scale_app.adapters.redis.leases import MINE, number_key
from scale_app.codec import from_json, to_json
from scale_app.domain.errors import LeaseLost, OwnerAway
from scale_app.domain.events import Event, Numbered
from scale_app.replica_ports import Lease

KEPT = 300
"""Newest entries of a stream: of 1,000 pods some 12 MB."""
STREAM_MS = 3_600_000
"""For which a stream stays after its last entry."""
WAIT_S = 0.5
"""For which Redis is asked to wait for something new, below the limit of an answer."""
ANSWER_MS = 60_000
AT_ONCE = 50
END = b"end"
APPEND = f"""{MINE}
if not mine(KEYS[2], ARGV[1]) then return 0 end
local newest, last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1], 0
if newest then
  if newest[2][1] == 'end' then return ARGV[4] == 'end' and 1 or 0 end
  last = tonumber(string.match(newest[1], '^%d+'))
end
if ARGV[4] == 'end' then
  redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], last + 1 .. '-0', 'end', '')
else
  for at = 4, #ARGV, 2 do
    if tonumber(ARGV[at]) > last then
      redis.call('XADD', KEYS[1], 'MAXLEN', ARGV[2], ARGV[at] .. '-0', 'event', ARGV[at + 1])
    end
  end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
PUT = """
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""


class RedisBus:
    """Fulfils replica_ports.RunBus. The entry of event N is N+1, since Redis has no entry 0."""

    def __init__(self, server: Server) -> None:
        self._server = server

    async def append(self, lease: Lease, run_id: str, events: Sequence[Numbered]) -> None:
        entries = [part for numbered in events for part in (numbered.seq + 1, _packed(numbered.event))]
        if entries:
            await self._add(lease, run_id, *entries)

    async def end(self, lease: Lease, run_id: str) -> None:
        await self._add(lease, run_id, "end")

    async def _add(self, lease: Lease, run_id: str, *entries: str | bytes | int) -> None:
        keys = (self._stream(run_id), number_key(self._server, lease.name))
        values = (str(lease.number), KEPT, STREAM_MS, *entries)
        if not await self._server.run("Sending a run's events to other servers", APPEND, keys, values):
            raise LeaseLost(lease.name)

    async def read(self, run_id: str, after: int = -1) -> list[Numbered]:
        first = f"({after + 1}-0"
        found = await self._server.ask("Reading a run's events", "XRANGE", self._stream(run_id), first, "+")
        return [_numbered(entry, fields) for entry, fields in found if END not in fields]

    async def follow(self, run_id: str, after: int = -1) -> AsyncGenerator[Numbered, None]:
        while True:
            for entry, fields in await self._next(run_id, after):
                if END in fields:
                    return
                numbered = _numbered(entry, fields)
                after = numbered.seq
                yield numbered

    async def _next(self, run_id: str, after: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """The next entries; none when none come for a while."""
        wait = ("XREAD", "COUNT", AT_ONCE, "BLOCK", int(WAIT_S * 1000))
        where = ("STREAMS", self._stream(run_id), f"{after + 1}-0")
        found: Any = await self._server.ask("Following a run's events", *wait, *where)
        return found[0][1] if found else []

    async def ask(self, holder: str, command: str, limit_s: float) -> str:
        number = uuid.uuid4().hex
        message = json.dumps([number, command])
        await self._server.run("Asking another server", PUT, (self._inbox(holder),), (message, ANSWER_MS))
        waited_s = 0.0
        while waited_s < limit_s:
            wait_s = min(WAIT_S, limit_s - waited_s)
            answer = await self._server.ask("Asking another server", "BLPOP", self._answer(number), f"{wait_s:.3f}")
            if answer:
                return str(answer[1], "utf-8")
            waited_s += wait_s
        withdrawn = await self._server.ask("Asking another server", "LREM", self._inbox(holder), 1, message)
        raise OwnerAway(taken=not withdrawn)

    async def commands(self, holder: str) -> AsyncGenerator[RedisAsked, None]:
        while True:
            found = await self._server.ask("Waiting for commands", "BLPOP", self._inbox(holder), f"{WAIT_S}")
            if found:
                number, text = json.loads(found[1])
                yield RedisAsked(text, self._server, self._answer(number))

    def _stream(self, run_id: str) -> str:
        return self._server.key("run", run_id)

    def _inbox(self, holder: str) -> str:
        return self._server.key("commands", holder)

    def _answer(self, number: str) -> str:
        return self._server.key("answer", number)


@dataclass
class RedisAsked:
    """Fulfils replica_ports.Asked."""

    text: str
    server: Server
    key: str

    async def answer(self, text: str) -> None:
        await self.server.run("Answering another server", PUT, (self.key,), (text, ANSWER_MS))


def _packed(event: Event) -> bytes:
    return zlib.compress(to_json(event, Event))


def _numbered(entry: bytes, fields: Any) -> Numbered:
    event: Any = from_json(Event, zlib.decompress(fields[b"event"]))  # type: ignore[arg-type]
    return Numbered(int(entry.partition(b"-")[0]) - 1, event)
