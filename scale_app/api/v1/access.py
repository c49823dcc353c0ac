"""Who may use this server: tokens and the audit log under /api/v1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from scale_app.api.operation import CheckedRequest, Made, Operation
from scale_app.api.problems import V1
from scale_app.domain.audit import AccessToken, AuditEntry, MadeToken
from scale_app.domain.errors import TokenNotFound
from scale_app.domain.identity import NotPermitted, Role
from scale_app.service.access import DAYS
from scale_app.service.hub import Hub

TOKENS = f"{V1}/tokens"


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that is asked for.

    name: what it is for. role: what it may do, at most what the caller may. days: until it expires, 0 for never.
    """

    name: str
    role: Role = Role.VIEWER
    days: float = DAYS


@dataclass(frozen=True, slots=True)
class TokenList:
    """tokens: the caller's own, newest first; for an admin everybody's. Their secrets are nowhere."""

    tokens: tuple[AccessToken, ...]


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """limit: the most entries to return, newest first. offset: how many to skip."""

    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0, le=10**9)] = 0


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A page of the audit log, newest first. total: entries on all pages."""

    entries: tuple[AuditEntry, ...]
    total: int
    limit: int
    offset: int


def access_operations(hub: Hub) -> list[Operation]:
    """The routes under /api/v1/tokens and /audit."""

    async def listed(_asked: CheckedRequest) -> TokenList:
        return TokenList(tuple(await hub.tokens()))

    async def made(asked: CheckedRequest) -> Made:
        wanted: NewToken = asked.body
        new = await hub.make_token(wanted.name, wanted.role, wanted.days)
        return Made(f"{TOKENS}/{new.token.id}", new)

    async def audited(asked: CheckedRequest) -> AuditPage:
        query: AuditQuery = asked.query
        entries = tuple(await hub.audit_entries(query.limit, query.offset))
        return AuditPage(entries, await hub.count_audit_entries(), query.limit, query.offset)

    return [
        Operation("GET", TOKENS, "listTokens", "Access", "List tokens, newest first", listed, TokenList),
        Operation(
            "POST", TOKENS, "makeToken", "Access", "Make a token", made, MadeToken, 201, NewToken,
            example={"name": "nightly", "role": "operator", "days": 90},
            does="`text` is the token, told this once. Send it as `Authorization: Bearer scale_...`.",
        ),
        Operation(
            "DELETE", f"{TOKENS}/{{token_id}}", "revokeToken", "Access", "Revoke a token",
            lambda asked: hub.revoke_token(asked.path["token_id"]), status=204, errors=(TokenNotFound,),
            does="It ends at once; what it has open ends within 10 s.",
        ),
        Operation(
            "GET", f"{V1}/audit", "listAudit", "Access", "List who did what, newest first", audited, AuditPage,
            query=AuditQuery, errors=(NotPermitted,),
        ),
    ]  # fmt: skip
