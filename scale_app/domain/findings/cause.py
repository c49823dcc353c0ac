"""A cause: the texts that all its findings have in common, and figures in their sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from scale_app.domain.facts import Facts
from scale_app.domain.snapshot import MOST_PODS_NAMED, Certainty, Finding
from scale_app.domain.verdict_sentence import count


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of uneven work. find: the finding when the facts show it, None when not; pure, raises nothing.

    shown_by: which figures are the evidence, for the documentation. The rest: see Finding.
    """

    code: str
    title: str
    cause: str
    shown_by: str
    remedy: str
    find: Callable[[Facts], Finding | None]
    patch: str = ""

    def found(self, certainty: Certainty, evidence: str, pods: Iterable[str] = ()) -> Finding:
        """The finding, with this run's numbers."""
        named = tuple(pods)[:MOST_PODS_NAMED]
        return Finding(self.code, self.title, self.cause, evidence, certainty, self.remedy, self.patch, named)


def percent(share: float) -> str:
    """A share (0..1) as people read it."""
    return f"{share * 100:.0f} %" if share >= 0.1 or share == 0 else f"{share * 100:.2g} %"


def pods(names: Sequence[str]) -> str:
    """Names, or how many there are when they would fill the line."""
    return " and ".join(names) if 0 < len(names) <= 2 else count(len(names), "pod")
