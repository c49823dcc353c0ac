"""The audit log on its way: each entry as a line of JSON at once, and into the database behind the call that made it.

Neither a slow nor a missing database holds a call up. What waits is bounded; what does not fit stands in the log
alone. The same refusal or failure again and again becomes one entry a minute, with a number, and so do many different
ones of one person, and all of a stranger's kind from one address: whoever may do nothing cannot fill the log.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from typing import Protocol

from scale_app.domain.audit import AuditEntry
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.identity import COMMAND_LINE
from scale_app.ports import Clock
from scale_app.service.tasks import Sleep

log = logging.getLogger(__name__)
MOST_WAITING = 10_000
MOST_COUNTED = 1_000
MOST_DIFFERENT = 30
"""Refusals and failures of one person in a minute that have an entry each."""
MOST_OF_STRANGERS = 20
"""The same of all who are not known: an address and what was tried count as one, whatever else differs."""
MOST_CHARACTERS = 500
FURTHER = "further actions"
SAME_S = 60.0
AGAIN_S = 5.0


class AuditStore(Protocol):
    """What of the port AccessStore is used here."""

    async def add_audit(self, entry: AuditEntry) -> None: ...


Key = tuple[str, ...]


@dataclass(slots=True)
class _Repeated:
    """A refusal or failure that was noted, and how often it came again since."""

    entry: AuditEntry
    times: int = 0


class AuditTrail:
    """Fulfils the port Audit. `keep` writes what waits for as long as it runs; `finish` writes the rest."""

    def __init__(
        self, store: AuditStore, write: Callable[[str], None], clock: Clock, sleep: Sleep = asyncio.sleep
    ) -> None:
        """write: takes a line for standard output. sleep: lets time pass between tries to store."""
        self._store, self._write, self._clock, self._sleep = store, write, clock, sleep
        self._waiting: deque[AuditEntry] = deque()
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._refused: dict[Key, _Repeated] = {}

    def note(self, entry: AuditEntry) -> None:
        """Tell it at once and keep it soon; a refusal or failure that has just been noted is counted instead."""
        self._tell_repeated(entry.at_epoch_s)
        entry = replace(entry, subject=entry.subject[:MOST_CHARACTERS], reason=entry.reason[:MOST_CHARACTERS])
        if (entry.allowed and not entry.reason) or not self._again(entry):
            self._take(entry)

    def note_refused(self, action: str, reason: str, address: str, subject: str = "", who: str = "") -> None:
        """Note what was refused before its caller was known. who: the name that was told, "" for none."""
        now_s = self._clock.epoch_s()
        self.note(AuditEntry(now_s, who, "", action, subject, address, allowed=False, reason=reason))

    @asynccontextmanager
    async def kept(self, limit_s: float) -> AsyncIterator[None]:
        """Inside `keep` runs; at the end the rest is stored and `keep` has ended, each in at most so long."""
        keeping = asyncio.create_task(self.keep())
        try:
            yield
        finally:
            await self.finish(limit_s)
            keeping.cancel()
            # What it is storing holds the store, which is closed next. A driver that hangs is not waited for.
            await asyncio.wait({keeping}, timeout=limit_s)

    async def keep(self) -> None:
        """Store what waits, in order, and tell of what came again, until cancelled. While the database is away the
        entries wait."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._store_on())
            both.create_task(self._tell_on())

    async def _tell_on(self) -> None:
        while True:
            await self._sleep(SAME_S)
            self._tell_repeated(self._clock.epoch_s())

    async def _store_on(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting and not await self._stored():
                await self._sleep(AGAIN_S)

    async def finish(self, limit_s: float) -> None:
        """Store the rest, in at most so long. `keep` is cancelled afterwards: what is being stored when that happens
        would be stored twice."""
        self._tell_repeated(float("inf"))
        # A driver that hangs ends late also when it is cancelled, so that is not waited for.
        _, late = await asyncio.wait({storing := asyncio.create_task(self._stored())}, timeout=limit_s)
        if late:
            storing.cancel()
        if self._waiting:
            log.error("%d entries of the audit log were not stored; each stands in this log", len(self._waiting))

    def _again(self, entry: AuditEntry) -> bool:
        """Count it if the same came within the last minute, or too many different ones of the same person, or of all
        strangers."""
        key: Key = (entry.who, entry.action, entry.address)
        most = MOST_OF_STRANGERS
        if entry.who:
            key, most = (*key, entry.subject, entry.reason), MOST_DIFFERENT
        if key not in self._refused:
            full = len(self._refused) >= MOST_COUNTED
            if full or sum(known[0] == entry.who for known in self._refused) >= most:
                key, entry = (FURTHER, "" if full else entry.who), _further(entry, everybody=full or not entry.who)
        if known := self._refused.get(key):
            known.times += 1
            return True
        self._refused[key] = _Repeated(entry)
        return False

    def _tell_repeated(self, now_epoch_s: float) -> None:
        """Note how often refusals came again whose minute is over; they are in the order in which they began."""
        while self._refused:
            key, oldest = next(iter(self._refused.items()))
            if abs(now_epoch_s - oldest.entry.at_epoch_s) < SAME_S:
                return
            del self._refused[key]
            if oldest.times:
                self._take(replace(oldest.entry, reason=f"{oldest.entry.reason} ({oldest.times:,} times more)"))

    def _take(self, entry: AuditEntry) -> None:
        if entry.address != COMMAND_LINE.address:  # a command's standard output belongs to whoever called it
            self._write(json.dumps({"audit": asdict(entry)}))
        if len(self._waiting) >= MOST_WAITING:
            log.error("an entry of the audit log is not stored, since %d wait for the database", MOST_WAITING)
            return
        self._waiting.append(entry)
        self._news.set()

    async def _stored(self) -> bool:
        """False when the database cannot be written now."""
        async with self._turn:
            while self._waiting:
                try:
                    await self._store.add_audit(self._waiting[0])
                except StoreUnavailable as error:
                    log.error("the audit log waits for the database: %s", error)
                    return False
                self._waiting.popleft()
        return True


def _further(entry: AuditEntry, everybody: bool) -> AuditEntry:
    """An entry that stands for many different ones, of one person or of everybody."""
    further = replace(entry, action=FURTHER, subject="", reason="of different kinds")
    return replace(further, who="", role="", address="") if everybody else further
