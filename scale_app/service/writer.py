"""The one writer of this process: stores the runs' journals in the background. No run and no viewer waits for it.

Why what people see may not be stored yet: docs/decisions/0008-published-before-stored.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

from scale_app.domain.errors import RunNotFound, StoreUnavailable
from scale_app.domain.record import RunRecord, Storing
from scale_app.domain.recording import Recorded
from scale_app.ports import Clock, RunStore
from scale_app.service.backlog import Backlog, Waiting
from scale_app.service.journal import Journal
from scale_app.service.tasks import Sleep, first_of

log = logging.getLogger(__name__)
MOST_WAITING_BYTES = 256 * 1024 * 1024
"""Of packed lines, of all runs: ten minutes of four runs of 1,000 pods take less."""
MOST_WAITING_RUNS = 50
"""No run starts while this many wait; each takes some megabytes of memory."""
SLOW_S = 2.0
"""Lines that wait for longer are told of. A second's line is stored in milliseconds."""
PAUSES_S = (0.5, 1.0, 2.0, 5.0)
"""Before the next try after one, two, ... tries that failed; the last one then stays."""
LAST_PAUSE_S = 0.2
REMIND_EVERY_S = 60.0
NOT_YET = "Not stored yet; runs continue. "
SILENT = "The database has not answered for several seconds."
CATCHING_UP = "The database answers again; the waiting data is being stored."
INSIDE_ERROR = "An error inside Scale; the server's log has the details."
TOO_MANY = "No run was started: {runs} runs already wait to be stored, and there is no space for more. "
NO_ROOM = " {lines:,} lines were dropped because there was no space for them."


class Writer:
    """Stores every run's journal in turn, and tries again for as long as the process lives."""

    def __init__(self, store: RunStore, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._store = store
        self._clock = clock
        self._sleep = sleep
        self._journals: dict[str, Journal] = {}
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._packer = Packer(self._backlogs, self._make_space)
        self._failed = 0
        self._tries_since_s: float | None = None
        self._reminded_at_s: float | None = None
        self._task: asyncio.Task[None] | None = None

    def open(self, record: RunRecord, lease_number: int = 0) -> Journal:
        """The journal of a run that begins now, stored under its lease's number.

        Raises StoreUnavailable when too many wait already.
        """
        if len(waiting := self._waiting()) >= MOST_WAITING_RUNS:
            raise StoreUnavailable(TOO_MANY.format(runs=len(waiting)) + (self._sentence(waiting, 0) or CATCHING_UP))
        journal = self._journals[record.run_id] = Journal(record, self._store, self._clock, self._put_in, lease_number)
        self._task = self._task or asyncio.create_task(self._write())
        self._put_in()
        return journal

    @property
    def storing(self) -> Storing:
        """What is not stored yet."""
        waiting = [journal for journal in self._journals.values() if journal.waiting]
        given_up = sum(journal.given_up for journal in self._journals.values())
        return Storing(
            self._sentence(waiting, given_up),
            len(waiting),
            sum(journal.waiting for journal in waiting),
            sum(journal.size_bytes for journal in waiting),
            given_up,
        )

    def problem_of(self, run_id: str) -> str:
        """Why this run is not stored yet, "" when it is or will be in a moment."""
        journal = self._journals.get(run_id)
        if journal is None or not (journal.problem or self._slow(journal.waits_since_s)):
            return ""
        return self._sentence([journal], journal.given_up)

    def recording_of(self, run_id: str) -> list[Waiting[Recorded]]:
        """The lines of a run's recording that wait."""
        journal = self._journals.get(run_id)
        return journal.recording.lines() if journal else []

    async def until_stored(self, run_id: str) -> None:
        """Return when an ended run is stored, or deleted; its journal is closed then."""
        await self._journals[run_id].until_stored()
        del self._journals[run_id]

    async def delete(self, run_id: str) -> None:
        """Delete a run from the store, and what of it waits. Raises RunNotFound, StoreUnavailable."""
        journal = self._journals.get(run_id)
        if journal is None:
            return await self._store.delete(run_id)
        async with journal.turn:
            with suppress(RunNotFound):  # nothing of it was stored yet
                await self._store.delete(run_id)
            journal.drop()
            return None

    async def finish(self, limit_s: float) -> bool:
        """Store what waits, within the limit, and end. False when not everything was stored; the log says what."""
        self._closing.set()
        self._wake.set()
        await self._packer.end()
        if self._task is not None:
            _, late = await asyncio.wait({self._task}, timeout=limit_s)
            if late:
                self._task.cancel()
                await asyncio.wait({self._task})
        return not self._say_what_is_lost()

    async def _write(self) -> None:
        while not self._closing.is_set() or self._waiting():
            await self._wake.wait()
            self._wake.clear()
            if not await self._round():
                await self._pause()
                self._wake.set()

    async def _round(self) -> bool:
        """Store what waits of every run in turn; False when the store refused."""
        for journal in self._waiting():
            try:
                await self._empty(journal)
            except StoreUnavailable as error:
                self._refused(journal, str(error))
                return False
            except Exception:
                log.exception("run %s cannot be stored", journal.run_id)
                journal.problem = INSIDE_ERROR
                self._refused(journal, INSIDE_ERROR)
                return False
        self._all_stored()
        return True

    async def _empty(self, journal: Journal) -> None:
        while journal.waiting:
            self._tries_since_s = self._clock.monotonic_s()
            try:
                await journal.write()
            finally:
                self._tries_since_s = None
            self._failed = 0

    def _waiting(self) -> list[Journal]:
        return [journal for journal in self._journals.values() if journal.waiting]

    def _refused(self, journal: Journal, problem: str) -> None:
        # The next round begins with the others: what the store refuses of one run must not hold them up.
        self._journals[journal.run_id] = self._journals.pop(journal.run_id)
        self._failed += 1
        self._packer.look()
        now_s = self._clock.monotonic_s()
        if self._reminded_at_s is None or now_s - self._reminded_at_s >= REMIND_EVERY_S:
            now = self.storing
            log.error(
                "not stored yet: %d lines of %d runs wait (%.1f MB packed, %d dropped); the runs continue. %s",
                now.waiting_lines, now.waiting_runs, now.waiting_bytes / 1e6, now.given_up_lines, problem,
            )  # fmt: skip
            self._reminded_at_s = now_s

    def _all_stored(self) -> None:
        if self._reminded_at_s is not None:
            given_up = self.storing.given_up_lines
            log.warning("the database works again; the waiting data is stored, except %d dropped lines", given_up)
        self._reminded_at_s = None

    async def _pause(self) -> None:
        """Wait before the next try; the end of the process does not wait for that."""
        if self._closing.is_set():
            return await self._sleep(LAST_PAUSE_S)
        pause_s = PAUSES_S[min(self._failed, len(PAUSES_S)) - 1]
        return await first_of(self._sleep(pause_s), self._closing.wait())

    def _put_in(self) -> None:
        self._wake.set()
        self._packer.look()

    def _backlogs(self) -> Iterator[Backlog[Any]]:
        for journal in self._journals.values():
            yield from (journal.history, journal.recording)

    def _make_space(self) -> None:
        if sum(journal.size_bytes for journal in self._journals.values()) > MOST_WAITING_BYTES:
            largest = max(self._journals.values(), key=lambda journal: journal.size_bytes)
            if not largest.given_up:
                log.error(
                    "run %s: there is no space for more waiting data, so some of its lines are dropped", largest.run_id
                )
            largest.shrink()

    def _slow(self, since_s: float | None) -> bool:
        return since_s is not None and self._clock.monotonic_s() - since_s > SLOW_S

    def _sentence(self, waiting: list[Journal], given_up: int) -> str:
        reason = next((journal.problem for journal in self._journals.values() if journal.problem), "")
        if not reason and any(self._slow(journal.waits_since_s) for journal in waiting):
            reason = SILENT if self._slow(self._tries_since_s) else CATCHING_UP
        if not reason:
            return ""
        return NOT_YET + reason + (NO_ROOM.format(lines=given_up) if given_up else "")

    def _say_what_is_lost(self) -> bool:
        lost = self._waiting()
        for journal in lost:
            log.error(
                "run %s: the server ends before everything was stored; %d lines of its history and %d of its recording "
                "are lost. %s",
                journal.run_id, len(journal.history), len(journal.recording), journal.problem or SILENT,
            )  # fmt: skip
        return bool(lost)


class Packer:
    """Packs lines that wait for long, one after another, in a thread, so that the event loop goes on meanwhile."""

    def __init__(self, backlogs: Callable[[], Iterable[Backlog[Any]]], packed: Callable[[], None]) -> None:
        """backlogs: all that may hold lines to pack. packed: called after each line."""
        self._backlogs = backlogs
        self._packed = packed
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def look(self) -> None:
        """There may be a line to pack. Never waits."""
        if any(backlog.to_pack() for backlog in self._backlogs()):
            self._task = self._task or asyncio.create_task(self._pack())
            self._wake.set()

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _pack(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            for backlog in list(self._backlogs()):
                while (waiting := backlog.to_pack()) is not None:
                    backlog.put_back(await asyncio.to_thread(waiting.packed))
                    self._packed()
