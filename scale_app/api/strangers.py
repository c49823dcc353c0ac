"""What is refused before anybody is known goes to the audit log, too: what was tried, and from which address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from starlette.types import Scope

from scale_app.service.ways_in import WaysIn


class NoteRefusal(Protocol):
    """Takes what was refused. who: the name that was told, "" for none. Never waits, never fails."""

    def __call__(self, scope: Scope, action: str, reason: str, subject: str = "", who: str = "") -> None: ...


class StrangersNoted:
    """Fulfils NoteRefusal. How many entries that makes is bounded where they are taken: service/audit_trail.py."""

    def __init__(self, note: Callable[[str, str, str, str, str], None], ways: WaysIn) -> None:
        """note: takes action, reason, address, subject and who."""
        self._note, self._ways = note, ways

    def __call__(self, scope: Scope, action: str, reason: str, subject: str = "", who: str = "") -> None:
        peer, _ = scope.get("client") or ("", 0)
        self._note(action, reason, self._ways.client(list(scope["headers"]), peer), subject, who)


def not_noted(scope: Scope, action: str, reason: str, subject: str = "", who: str = "") -> None:
    """For an application without an audit log."""
