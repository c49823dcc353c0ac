"""What cannot be read of a row is that row's problem: it is left out or stood in for, and said; the rest is read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

log = logging.getLogger(__name__)
T = TypeVar("T")
Row = TypeVar("Row")


class Damage:
    """What could not be read of one thing that is stored. of: its name in a sentence, as in "run 12"."""

    def __init__(self, of: str) -> None:
        self._of = of
        self._parts: list[str] = []

    def read(self, part: str, read: Callable[[], T], otherwise: T) -> T:
        """What `read` gives, or `otherwise` when it raises ValueError. part: its name in a sentence."""
        try:
            return read()
        except ValueError as error:
            log.warning("the %s of %s cannot be read: %s", part, self._of, str(error)[:500])
            self._parts.append(part)
            return otherwise

    @property
    def sentence(self) -> str:
        """For people; "" when all could be read."""
        if not self._parts:
            return ""
        return (
            f"The {' and the '.join(self._parts)} of {self._of} cannot be read: stored by another version of Scale, or "
            "damaged. The rest is shown. Start the version that kept it, or delete it."
        )


def lines_of(of: str, read: Callable[[Row], T], rows: Iterable[Row]) -> list[T]:
    """What `read` gives for each row; those for which it raises ValueError or KeyError are left out, and logged."""
    found, lost, why = [], 0, ""
    for row in rows:
        try:
            found.append(read(row))
        except (ValueError, KeyError) as error:
            lost, why = lost + 1, str(error)[:500]
    if lost:
        log.warning("%d lines of %s cannot be read and are left out; the last one: %s", lost, of, why)
    return found
