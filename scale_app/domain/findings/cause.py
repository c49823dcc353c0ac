"""What all findings of one cause have in common. Each module of this package makes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scale_app.domain.facts import Facts
from scale_app.domain.finding import MOST_PODS_NAMED, Certainty, Finding


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
