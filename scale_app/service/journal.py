"""Writes what a run leaves behind to the store, in order. When the store fails the run goes on, and the lines wait."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from scale_app.domain.errors import StoreUnavailable

T = TypeVar("T")
Write = Callable[[str, int, Sequence[T]], Awaitable[None]]
"""Run id, number of the first line, lines."""

log = logging.getLogger(__name__)
MAX_WAITING = 2_000
"""Lines of one run that wait for the store; beyond it the oldest are given up, and the log says so."""


class Journal(Generic[T]):
    """One run's way into the store. problem: why lines wait, else ""."""

    def __init__(self, run_id: str, what: str, write: Write[T]) -> None:
        """what: the lines are, for the log: "history"."""
        self._run_id = run_id
        self._what = what
        self._write = write
        self._waiting: list[T] = []
        self._first_seq = 0
        self.problem = ""

    async def append(self, lines: Sequence[T]) -> None:
        """Store the lines, and those that wait from before. Returns when durable, or when the store refused."""
        self._waiting.extend(lines)
        if not self._waiting:
            return
        try:
            await self._write(self._run_id, self._first_seq, self._waiting)
        except StoreUnavailable as error:
            self._keep_for_later(str(error))
            return
        self._first_seq += len(self._waiting)
        self._waiting = []
        self.problem = ""

    def _keep_for_later(self, problem: str) -> None:
        if not self.problem:
            log.error("run %s goes on without its %s: %s", self._run_id, self._what, problem)
        self.problem = problem
        lost = max(0, len(self._waiting) - MAX_WAITING)
        if lost:
            log.error("run %s: %d lines of its %s were given up", self._run_id, lost, self._what)
            self._waiting, self._first_seq = self._waiting[lost:], self._first_seq + lost
