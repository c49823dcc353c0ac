"""The matrix: a fault at a moment of a run, and what came of it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Outcome:
    """What came of one fault. seen: by a viewer while it lasted. kept: what is stored of the run afterwards. said: the
    sentence that people get. missing: what was expected and did not happen; empty when all is as it should be."""

    seen: str = ""
    kept: str = ""
    said: str = ""
    missing: list[str] = field(default_factory=list)

    def expect(self, what: str, happened: object) -> None:
        """Note that this should have happened."""
        if not happened:
            self.missing.append(what)


@dataclass(frozen=True, slots=True)
class Scale:
    """How long things last. short: the quick form, in which a minute's outage takes some seconds."""

    short: bool
    scratch: Path

    def outage_s(self) -> float:
        """Of a database."""
        return 5.0 if self.short else 60.0


Act = Callable[[Scale, Outcome], None]


@dataclass(frozen=True, slots=True)
class Cell:
    """quick: short enough, and telling enough, for `make test`. needs: why it cannot be tried here, "" when it can."""

    fault: str
    moment: str
    act: Act
    quick: bool = False
    needs: Callable[[], str] = lambda: ""

    @property
    def name(self) -> str:
        return f"{self.fault}, {self.moment}"

    def tried(self, short: bool, scratch: Path) -> dict[str, Any]:
        """The row of this cell. An error of the attempt itself is a row, too."""
        outcome, began_s = Outcome(), time.monotonic()
        why_not = self.needs()
        if why_not:
            return self._row(outcome, ok=None, skipped=why_not)
        try:
            self.act(Scale(short, scratch), outcome)
        except Exception as error:  # noqa: BLE001 - whatever went wrong is what this row has to say
            outcome.missing.append(f"{type(error).__name__}: {str(error)[:400]}")
        return self._row(outcome, ok=not outcome.missing, took_s=round(time.monotonic() - began_s, 1))

    def _row(self, outcome: Outcome, **more: Any) -> dict[str, Any]:
        outcome.said = _plain(outcome.said)
        return {"fault": self.fault, "moment": self.moment, **asdict(outcome), **more}


def _plain(said: str) -> str:
    """The sentence without what differs from one try to the next: ids, folders, ports."""
    said = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "RUN", said)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", re.sub(r"/[^\s]*/(scale|kept)\.db", "/.../scale.db", said))


CELLS: list[Cell] = []


def cell(
    fault: str, moment: str, *, quick: bool = False, needs: Callable[[], str] = lambda: ""
) -> Callable[[Act], Act]:
    """Put a function into the matrix."""

    def register(act: Act) -> Act:
        CELLS.append(Cell(fault, moment, act, quick, needs))
        return act

    return register


def until(true: Callable[[], Any], what: str, limit_s: float = 30.0) -> Any:
    """What `true` gives once it is something. Raises AssertionError when that takes too long."""
    deadline_s = time.monotonic() + limit_s
    while time.monotonic() < deadline_s:
        if found := true():
            return found
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen within {limit_s:g} s")


@contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """A block that takes at least so long."""
    ends_s = time.monotonic() + seconds
    yield
    time.sleep(max(0.0, ends_s - time.monotonic()))
