"""Writes a run's events to the store, in order. When the store fails the run goes on, and the events wait."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.events import Event
from scale_app.ports import RunStore

log = logging.getLogger(__name__)
MAX_WAITING = 2_000
"""Events of one run that wait for the store; beyond it the oldest are given up, and the log says so."""


class Journal:
    """One run's way into the store. problem: why events wait, else ""."""

    def __init__(self, run_id: str, store: RunStore) -> None:
        self._run_id = run_id
        self._store = store
        self._waiting: list[Event] = []
        self._first_seq = 0
        self.problem = ""

    async def append(self, events: Sequence[Event]) -> None:
        """Store the events, and those that wait from before. Returns when durable, or when the store refused."""
        self._waiting.extend(events)
        if not self._waiting:
            return
        try:
            await self._store.append(self._run_id, self._first_seq, self._waiting)
        except StoreUnavailable as error:
            self._keep_for_later(str(error))
            return
        self._first_seq += len(self._waiting)
        self._waiting = []
        self.problem = ""

    def _keep_for_later(self, problem: str) -> None:
        if not self.problem:
            log.error("run %s goes on without its history: %s", self._run_id, problem)
        self.problem = problem
        lost = max(0, len(self._waiting) - MAX_WAITING)
        if lost:
            log.error("run %s: %d events were given up", self._run_id, lost)
            self._waiting, self._first_seq = self._waiting[lost:], self._first_seq + lost
