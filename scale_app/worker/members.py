"""The processes that send one run's load together: who they are and what state each is in."""

from __future__ import annotations

from dataclasses import dataclass, field

from scale_app.child_process.standing import Standing, standing_of
from scale_app.worker.fork import Forked
from scale_app.worker.silence import Silence


@dataclass(slots=True)
class Member:
    """name: Locust's for it. where: "" on this machine. answered: the last question for counts that it answered.

    leaving: it gets no more users. finished: it has reported for the last time. gone: it is no part of the run.
    """

    number: int
    name: str
    where: str
    forked: Forked | None
    answered: int = 0
    leaving: bool = False
    finished: bool = False
    gone: bool = False
    silence: Silence = field(default_factory=Silence)

    @property
    def standing(self) -> Standing:
        """What its system says of it."""
        return "unknown" if self.forked is None else standing_of(self.forked.pid)

    def befell(self, how: str, left: int, moved: bool = True) -> str:
        """A sentence or two for people. how: what happened to it. left: how many go on."""
        where = f" (on {self.where})" if self.where else ""
        said = f"One of {left + 1} load-generating processes{where} {how}."
        return f"{said} Its users were moved to the {left} that are left." if moved else said


class Members:
    """Everybody who ever joined, by name."""

    def __init__(self) -> None:
        self._all: dict[str, Member] = {}

    def add(self, name: str, where: str, forked: Forked | None) -> Member:
        """A process has joined."""
        member = self._all[name] = Member(len(self._all), name, where, forked)
        return member

    def named(self, name: str) -> Member | None:
        return self._all.get(name)

    @property
    def living(self) -> list[Member]:
        """Those that may still report."""
        return [member for member in self._all.values() if not member.gone]

    @property
    def working(self) -> list[Member]:
        """Those that have, or get, users."""
        return [member for member in self.living if not member.leaving]

    @property
    def gone(self) -> int:
        """How many left or died before the end."""
        return len(self._all) - len(self.living)

    def near(self) -> int:
        """How many of this machine are working."""
        return sum(not member.where for member in self.working)

    def far(self) -> int:
        """How many of other machines are working."""
        return sum(bool(member.where) for member in self.working)
