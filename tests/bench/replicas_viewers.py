"""Viewers that follow runs over a proxy and go on where they were cut: what each has seen, number by number."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import websockets

AGAIN_AFTER_S = 0.5
OPEN_LIMIT_S = 10.0
SNAPSHOT = "snapshot"


@dataclass
class Viewer:
    """Follows one run until its end.

    events: {number: event} of what it was told but snapshots, of which only the newest is sent. first: the number
    after which it began. cuts: how often it had to connect again. ended: it was told the end. trouble: what is wrong.
    """

    url: str
    run_id: str
    events: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    first: int | None = None
    newest: int = -1
    cuts: int = 0
    ended: bool = False
    trouble: list[str] = field(default_factory=list)

    async def follow(self) -> None:
        """Connect, and connect again, until the run has ended."""
        while not self.ended:
            with suppress(OSError, TimeoutError, websockets.WebSocketException):
                after = "" if self.first is None else f"?after={self.newest}"
                where = f"{self.url.replace('http', 'ws', 1)}/api/v1/runs/{self.run_id}/stream{after}"
                async with websockets.connect(where, open_timeout=OPEN_LIMIT_S, max_size=None) as feed:
                    async for text in feed:
                        self._take(json.loads(text))
            if not self.ended:
                self.cuts += 1
                await asyncio.sleep(AGAIN_AFTER_S)

    def _take(self, message: Mapping[str, Any]) -> None:
        kind, seq = message["kind"], message.get("seq", -1)
        if kind == "run" and self.first is None:
            self.first = self.newest = seq
        elif kind == "event":
            if seq <= self.newest:
                self.trouble.append(f"number {seq} after {self.newest}")
            self.newest = seq
            if message["event"]["kind"] != SNAPSHOT:
                self.events[seq] = message["event"]
        self.ended = self.ended or kind == "end"

    def missed(self, stored: list[Mapping[str, Any]]) -> list[int]:
        """Numbers of events that the run has stored since this viewer began, and that it was never told."""
        first = -1 if self.first is None else self.first
        return [each["seq"] for each in stored if each["seq"] > first and each["seq"] not in self.events]
