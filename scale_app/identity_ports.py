"""What signing in, tokens and the audit log need from outside, one Protocol each, as in ports.py."""

from __future__ import annotations

from typing import Protocol

from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.identity import Person
from scale_app.domain.sign_in import SignInAttempt


class AccessStore(Protocol):
    """Tokens, sign-ins and the audit log. Every method raises StoreUnavailable, and does so in bounded time.

    digest: SHA-256 of the secret, in hex; the secret itself is nowhere.
    """

    async def add_token(self, token: AccessToken, digest: str) -> None:
        """Keep a new token."""

    async def tokens(self) -> list[AccessToken]:
        """All of them, newest first."""

    async def valid_tokens(self, now_epoch_s: float) -> list[tuple[AccessToken, str]]:
        """Those that are neither revoked nor expired, each with its digest."""

    async def revoke_token(self, token_id: str, at_epoch_s: float) -> None:
        """From now on it is not valid. Does nothing to one that is unknown or revoked already."""

    async def used_token(self, token_id: str, at_epoch_s: float) -> None:
        """Note when it was last used."""

    async def add_session(self, digest: str, body_json: str, expires_at_epoch_s: float) -> None:
        """Keep a browser's sign-in: who it is, as JSON of a Principal."""

    async def session(self, digest: str, now_epoch_s: float) -> str | None:
        """The body of a session that has neither ended nor expired."""

    async def end_session(self, digest: str) -> None:
        """Sign out. Does nothing for one that is unknown."""

    async def add_audit(self, entry: AuditEntry) -> None:
        """Append an entry."""

    async def audit(self, limit: int, offset: int) -> list[AuditEntry]:
        """Newest first."""

    async def count_audit(self) -> int:
        """How many entries there are."""

    async def forget(self, now_epoch_s: float, audit_before_epoch_s: float) -> None:
        """Delete sessions that have expired, and entries that are older."""

    async def close(self) -> None:
        """Let go of the database."""


class IdentityProvider(Protocol):
    """Where people sign in with a browser. Both methods raise SignInUnavailable, in bounded time."""

    async def address(self, attempt: SignInAttempt) -> str:
        """Where the browser goes to sign in."""

    async def person(self, attempt: SignInAttempt, code: str) -> Person:
        """Who came back with this code, which counts once. Raises SignInRefused."""


class Audit(Protocol):
    """Where it is noted who did what."""

    def note(self, entry: AuditEntry) -> None:
        """Tell it at once and keep it soon. Never waits, never fails, also while the database is away."""
