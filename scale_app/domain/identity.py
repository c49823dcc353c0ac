"""Who asks, and what they may do: the same for page, API, WebSocket and command line.

Every call has a caller. Rights follow from one role, which comes from the token, from the groups that a proxy or an
identity provider names, or from being the only user of a server that listens on loopback alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from scale_app.domain.errors import ScaleError


class Role(StrEnum):
    """What somebody may do; each may do what the ones before it may.

    VIEWER looks and exports. OPERATOR starts, edits, stops, saves, marks baselines. ADMIN deletes, makes and revokes
    tokens of others, reads the audit log.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def includes(self, needed: Role) -> bool:
        """May this role do what needs that one?"""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


class SignIn(StrEnum):
    """How a caller was recognised. NONE: nothing is configured, so everybody is the local user."""

    NONE = "none"
    TOKEN = "token"
    PROXY = "proxy"
    OIDC = "oidc"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, a token, or the local user.

    name: as people know it: "ada@example.org", "deploy (token of ada@example.org)", "local user".
    key: which token (its id) or session made the call, "" where neither; never the secret itself.
    """

    name: str
    role: Role
    sign_in: SignIn
    groups: tuple[str, ...] = ()
    key: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """A principal and where the call came from. address: the client's IP address as far as it can be known, or
    "command line"."""

    principal: Principal
    address: str


@dataclass(frozen=True, slots=True)
class Person:
    """Who somebody is by the word of a proxy or an identity provider. name: the email address where there is one."""

    name: str
    groups: tuple[str, ...] = ()


LOCAL_USER = Principal("local user", Role.ADMIN, SignIn.NONE)
COMMAND_LINE = Caller(LOCAL_USER, "command line")
CALLER: ContextVar[Caller | None] = ContextVar("caller", default=None)
"""Who makes the call that is being served; None where nobody is known, who may do nothing."""


def caller_name() -> str:
    """Who makes the call that is being served, "" for nobody."""
    caller = CALLER.get()
    return caller.principal.name if caller else ""


class NotSignedIn(ScaleError):
    """Nobody is known to ask: no token, no session, no header of a proxy, or one that is not valid any more."""

    def __init__(self) -> None:
        super().__init__(
            "This server answers only to those it knows, and the request named nobody that it knows. Sign in, or send "
            "a valid token as Authorization: Bearer ..."
        )


class WithoutRole(ScaleError):
    """Somebody is known, and none of the person's groups has a role here."""

    def __init__(self, person: Person) -> None:
        self.name = person.name
        super().__init__(
            f"{person.name} is signed in, but none of the person's groups has a role on this server. Ask an admin of "
            "this server for one."
        )


class NotPermitted(ScaleError):
    """The caller's role does not include what was asked."""

    def __init__(self, principal: Principal, action: str, needed: Role) -> None:
        super().__init__(
            f"{principal.name} is {principal.role.value} here, and {action} needs the role {needed.value}. "
            "Ask an admin of this server for it."
        )


def role_of(groups: Collection[str], roles: Mapping[str, Role]) -> Role | None:
    """The highest role that any of the groups has, None where none has one. roles: by group; "*" is every group and
    whoever has none."""
    found = [roles[name] for name in {*groups, "*"} if name in roles]
    return max(found, key=list(Role).index, default=None)
