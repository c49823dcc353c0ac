"""The store of tokens, sign-ins and the audit log, in memory."""

from __future__ import annotations

from dataclasses import replace

from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.errors import StoreUnavailable


class FakeAccessStore:
    """broken: an error that every further call raises, None for none. asked: how often the valid tokens were read."""

    def __init__(self) -> None:
        self.broken: StoreUnavailable | None = None
        self.asked = 0
        self.noted_uses = 0
        self.entries: list[AuditEntry] = []
        self.closed = False
        self._tokens: dict[str, tuple[AccessToken, str]] = {}
        self._sessions: dict[str, tuple[str, float]] = {}

    async def add_token(self, token: AccessToken, digest: str) -> None:
        self._check()
        self._tokens.setdefault(token.id, (token, digest))

    async def tokens(self) -> list[AccessToken]:
        self._check()
        found = [token for token, _ in self._tokens.values()]
        return sorted(found, key=lambda token: (token.made_at_epoch_s, token.id), reverse=True)

    async def valid_tokens(self, now_epoch_s: float) -> list[tuple[AccessToken, str]]:
        self.asked += 1
        self._check()
        return [pair for pair in self._tokens.values() if pair[0].valid_at(now_epoch_s)]

    async def revoke_token(self, token_id: str, at_epoch_s: float) -> None:
        self._check()
        if token_id in self._tokens and self._tokens[token_id][0].revoked_at_epoch_s is None:
            self._change(token_id, revoked_at_epoch_s=at_epoch_s)

    async def used_token(self, token_id: str, at_epoch_s: float) -> None:
        self._check()
        self.noted_uses += 1
        if token_id in self._tokens:
            self._change(token_id, last_used_at_epoch_s=at_epoch_s)

    async def add_session(self, digest: str, body_json: str, expires_at_epoch_s: float) -> None:
        self._check()
        self._sessions.setdefault(digest, (body_json, expires_at_epoch_s))

    async def session(self, digest: str, now_epoch_s: float) -> str | None:
        self._check()
        body, expires_at_epoch_s = self._sessions.get(digest, ("", 0.0))
        return body if expires_at_epoch_s > now_epoch_s else None

    async def end_session(self, digest: str) -> None:
        self._check()
        self._sessions.pop(digest, None)

    async def add_audit(self, entry: AuditEntry) -> None:
        self._check()
        self.entries.append(entry)

    async def audit(self, limit: int, offset: int) -> list[AuditEntry]:
        self._check()
        numbered = sorted(enumerate(self.entries), key=lambda pair: (pair[1].at_epoch_s, pair[0]), reverse=True)
        return [entry for _, entry in numbered][offset : offset + limit]

    async def count_audit(self) -> int:
        self._check()
        return len(self.entries)

    async def forget(self, now_epoch_s: float, audit_before_epoch_s: float) -> None:
        self._check()
        self._sessions = {name: kept for name, kept in self._sessions.items() if kept[1] > now_epoch_s}
        self.entries = [entry for entry in self.entries if entry.at_epoch_s >= audit_before_epoch_s]

    async def close(self) -> None:
        self.closed = True

    def _change(self, token_id: str, **changed: float) -> None:
        token, digest = self._tokens[token_id]
        self._tokens[token_id] = (replace(token, **changed), digest)

    def _check(self) -> None:
        if self.broken:
            raise self.broken
