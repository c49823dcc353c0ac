"""What a store remembers of runs that are being written, so that what follows can lean on it."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")
MOST = 64
"""Runs that are remembered. One that was forgotten costs some bytes more, no more."""


class Newest(Generic[T]):
    """A value for each run, those that were kept last."""

    def __init__(self) -> None:
        self._kept: dict[str, T] = {}

    def get(self, run_id: str) -> T | None:
        return self._kept.get(run_id)

    def keep(self, run_id: str, value: T | None) -> None:
        """Remember it, or with None forget the run."""
        self._kept.pop(run_id, None)
        if value is not None:
            self._kept[run_id] = value
        for oldest in list(self._kept)[: len(self._kept) - MOST]:
            del self._kept[oldest]
