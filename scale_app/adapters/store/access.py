"""Tokens, browsers' sessions and the audit log in SQL, beside the history of runs."""

from __future__ import annotations

import itertools
import secrets
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Select, delete, func, insert, or_, select, update
from sqlmodel import col

from scale_app.adapters.store.damage import Damages
from scale_app.adapters.store.database import Sessions
from scale_app.adapters.store.reading import storable
from scale_app.adapters.store.tables import AuditRow, SessionRow, TokenRow
from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.identity import Role

TOKEN_COLUMNS = tuple(getattr(TokenRow, field.name) for field in fields(AccessToken))
AUDIT_COLUMNS = tuple(getattr(AuditRow, field.name) for field in fields(AuditEntry))


class SqlAccessStore(Sessions):
    """Fulfils ports.AccessStore, which says what each method promises. The tables must be there: see migrate()."""

    def __init__(self, database_url: str) -> None:
        """Raises StoreUnavailable for a bad URL."""
        super().__init__(database_url)
        self._damages = Damages()
        self._number = itertools.count()

    async def add_token(self, token: AccessToken, digest: str) -> None:
        values = {**_stored(token), "role": token.role.value, "digest": digest}
        await self._do(f"Storing the token {token.name!r}", self._insert(TokenRow).values(values))

    async def tokens(self) -> list[AccessToken]:
        newest = (col(TokenRow.made_at_epoch_s).desc(), col(TokenRow.id).desc())
        return self._tokens(await self._rows(select(*TOKEN_COLUMNS).order_by(*newest), "Reading the tokens"))

    async def valid_tokens(self, now_epoch_s: float) -> list[tuple[AccessToken, str]]:
        later = or_(col(TokenRow.expires_at_epoch_s).is_(None), col(TokenRow.expires_at_epoch_s) > now_epoch_s)
        valid = (col(TokenRow.revoked_at_epoch_s).is_(None), later)
        query: Select[*tuple[Any, ...]] = select(*TOKEN_COLUMNS, col(TokenRow.digest)).where(*valid)
        rows = await self._rows(query, "Reading the valid tokens")
        digests = {row[0]: row[-1] for row in rows}
        return [(token, digests[token.id]) for token in self._tokens([row[:-1] for row in rows])]

    async def revoke_token(self, token_id: str, at_epoch_s: float) -> None:
        still = (col(TokenRow.id) == storable(token_id), col(TokenRow.revoked_at_epoch_s).is_(None))
        revoked = update(TokenRow).where(*still).values(revoked_at_epoch_s=at_epoch_s)
        await self._do(f"Revoking the token {token_id[:40]!r}", revoked)

    async def used_token(self, token_id: str, at_epoch_s: float) -> None:
        used = update(TokenRow).where(col(TokenRow.id) == storable(token_id))
        await self._do("Noting the use of a token", used.values(last_used_at_epoch_s=at_epoch_s))

    async def add_session(self, digest: str, body_json: str, expires_at_epoch_s: float) -> None:
        values = {"digest": digest, "body_json": body_json, "expires_at_epoch_s": expires_at_epoch_s}
        await self._do("Storing a sign-in", self._insert(SessionRow).values(values))

    async def session(self, digest: str, now_epoch_s: float) -> str | None:
        mine = (col(SessionRow.digest) == storable(digest), col(SessionRow.expires_at_epoch_s) > now_epoch_s)
        rows = await self._rows(select(col(SessionRow.body_json)).where(*mine), "Reading a sign-in")
        return str(rows[0][0]) if rows else None

    async def end_session(self, digest: str) -> None:
        await self._do("Ending a sign-in", delete(SessionRow).where(col(SessionRow.digest) == storable(digest)))

    async def add_audit(self, entry: AuditEntry) -> None:
        # The number orders entries of one moment; what follows it tells this process's from another's.
        entry_id = f"{next(self._number):012d}-{secrets.token_hex(8)}"
        await self._do("Writing the audit log", insert(AuditRow).values({**_stored(entry), "id": entry_id}))

    async def audit(self, limit: int, offset: int) -> list[AuditEntry]:
        newest = (col(AuditRow.at_epoch_s).desc(), col(AuditRow.id).desc())
        page = select(*AUDIT_COLUMNS).order_by(*newest).limit(limit).offset(offset)
        return [AuditEntry(*row) for row in await self._rows(page, "Reading the audit log")]

    async def count_audit(self) -> int:
        return int((await self._rows(select(func.count(col(AuditRow.id))), "Counting the audit log"))[0][0])

    async def forget(self, now_epoch_s: float, audit_before_epoch_s: float) -> None:
        async with self._writing("Cleaning up sign-ins and the audit log") as session:
            await session.execute(delete(SessionRow).where(col(SessionRow.expires_at_epoch_s) <= now_epoch_s))
            await session.execute(delete(AuditRow).where(col(AuditRow.at_epoch_s) < audit_before_epoch_s))

    def _tokens(self, rows: list[Any]) -> list[AccessToken]:
        """Without those that cannot be read, which then are not valid."""
        return self._damages.of("the tokens").lines("token{s}", _token_of, rows)

    async def _rows(self, query: Select[*tuple[Any, ...]], doing: str) -> list[Any]:
        async with self._reading(doing) as session:
            return [tuple(row) for row in await session.execute(query)]

    async def _do(self, doing: str, statement: Any) -> None:
        async with self._writing(doing) as session:
            await session.execute(statement, execution_options={"synchronize_session": False})


def _token_of(row: tuple[Any, ...]) -> AccessToken:
    """Raises ValueError for a role that there is not."""
    token_id, name, owner, role, *times = row
    return AccessToken(token_id, name, owner, Role(role), *times)


def _stored(thing: AccessToken | AuditEntry) -> dict[str, Any]:
    """Its columns, texts as a driver takes them."""
    return {name: storable(value) if isinstance(value, str) else value for name, value in asdict(thing).items()}
