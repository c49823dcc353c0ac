"""What of a Redis's settings may cost something later; nothing that prevents a start."""

from __future__ import annotations

from typing import Any

from scale_app.adapters.redis.connection import Server, shown
from scale_app.domain.errors import BusUnavailable


async def warnings(server: Server) -> list[str]:
    """Sentences, [] when all is well. Raises BusUnavailable when Redis cannot be asked at all."""
    memory = await server.ask("Looking at Redis", "INFO", "memory")
    disk = await server.ask("Looking at Redis", "INFO", "persistence")
    found = [_evicts(server, memory)]
    if not disk.get("aof_enabled") and await _saves(server) == b"":
        found.append(
            f"{shown(server.url)} keeps nothing on disk (appendonly no, no save): when it restarts, viewers at other "
            "servers miss what happened meanwhile. Runs go on. Set appendonly yes."
        )
    return [sentence for sentence in found if sentence]


def _evicts(server: Server, memory: dict[str, Any]) -> str:
    policy = memory.get("maxmemory_policy", "noeviction")
    if not memory.get("maxmemory") or policy == "noeviction":
        return ""
    return (
        f"{shown(server.url)} drops keys when its memory is full (maxmemory-policy {policy}): a run whose lease is "
        "dropped may be interrupted. Set maxmemory-policy noeviction."
    )


async def _saves(server: Server) -> bytes | None:
    """Its setting `save`; None where it may not be asked for."""
    try:
        found = await server.ask("Looking at Redis", "CONFIG", "GET", "save")
    except BusUnavailable:
        return None
    value: bytes | None = found[1] if len(found) > 1 else None
    return value
