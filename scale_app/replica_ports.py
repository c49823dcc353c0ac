"""What several replicas of one installation share: who owns what, what happens in runs, and commands to an owner."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from scale_app.domain.events import Numbered

LEASE_S = 2.5
RENEW_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to own something. name: what is owned. holder: who owns it. number: of the claim.

    Of two claims of a name the later one has the higher number, also when the leases were forgotten in between.
    """

    name: str
    holder: str
    number: int


def lease_name(run_id: str) -> str:
    """What a run is owned under."""
    return f"run {run_id}"


class Leases(Protocol):
    """Who owns what; at most one holder of a name at a time. Every method raises StoreUnavailable or BusUnavailable."""

    async def claim(self, name: str, holder: str) -> Lease | None:
        """Own this for LEASE_S; None while somebody else does. Who owns it already gets the same lease, renewed."""

    async def renew(self, lease: Lease) -> None:
        """Own it for LEASE_S from now on, also when it has run out or was forgotten.

        Raises LeaseLost when somebody has claimed it since.
        """

    async def release(self, lease: Lease) -> None:
        """Own it no more. Nothing happens when somebody else does."""

    async def free(self, names: Sequence[str]) -> frozenset[str]:
        """Those of these names that nobody holds now."""


class Asked(Protocol):
    """A command that another replica waits for. text: of the command."""

    text: str

    async def answer(self, text: str) -> None:
        """Tell the one that asked, if it still waits. Raises BusUnavailable."""


class RunBus(Protocol):
    """Events of runs to every replica that follows them, and commands to the replica that owns one.

    Every method raises BusUnavailable.
    """

    async def append(self, lease: Lease, run_id: str, events: Sequence[Numbered]) -> None:
        """Add events to the run's stream, of which the newest few hundred are kept. One that is there stays as it is.

        lease: the run's. Raises LeaseLost when somebody has claimed it since, or when the stream has ended.
        """

    async def end(self, lease: Lease, run_id: str) -> None:
        """Nothing more is appended to the run's stream. Idempotent. Raises LeaseLost."""

    async def read(self, run_id: str, after: int = -1) -> list[Numbered]:
        """What is kept of the run's events with a higher number, in order."""

    def follow(self, run_id: str, after: int = -1) -> AsyncGenerator[Numbered, None]:
        """The same, then the events as they come, until the stream ends. Nothing comes of a run that has no stream."""

    async def ask(self, holder: str, command: str, limit_s: float) -> str:
        """Let this replica do something; its answer. Raises OwnerAway when none comes in time."""

    def commands(self, holder: str) -> AsyncGenerator[Asked, None]:
        """What others ask of this replica, as it comes; it never ends. Each command is given to one reader."""
