"""How it is found who asks.

In this order: a bearer token, the headers of a proxy, the session of a browser or, where nobody signs in, the local
user.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from scale_app.domain.identity import LOCAL_USER, Caller, Person, Principal, SignIn, WithoutRole, role_of
from scale_app.identity_settings import IdentitySettings
from scale_app.service.proxy_headers import BadProxyHeaders, Headers, ProxyHeaders

OUR_TOKEN = "scale_"
CheckToken = Callable[[str, str], Awaitable[Principal | None]]
"""Whose token this text is, None for nobody's. Second: the address that it came from."""
SessionOf = Callable[[str], Awaitable[Principal | None]]
"""Whose session a Cookie header holds, None for nobody's."""


@dataclass(frozen=True, slots=True)
class WaysIn:
    """How callers may be known. open_to_all: whoever is not known otherwise is the local user. login: browsers are sent
    to the login."""

    proxy: ProxyHeaders
    settings: IdentitySettings
    check_token: CheckToken
    session_of: SessionOf
    open_to_all: bool = False

    @property
    def login(self) -> bool:
        return bool(self.settings.oidc.issuer)

    def client(self, headers: Headers, address: str) -> str:
        """Where a request came from: behind a proxy that is believed, what that says. address: the direct peer's."""
        return self.proxy.client(headers, address) if self.proxy.believed(address) else address

    async def caller(self, headers: Headers, address: str) -> Caller | None:
        """None for nobody. Raises BadProxyHeaders, WithoutRole, StoreUnavailable."""
        person = self.proxy.person(headers) if self.proxy.believed(address) else None
        address = self.client(headers, address)
        principal: Principal | None
        token = bearer(headers)
        if token and (token.startswith(OUR_TOKEN) or person is None):
            principal = await self.check_token(token, address)
        elif person is not None:
            principal = self._with_role(person)
        else:
            principal = LOCAL_USER if self.open_to_all else await self.session_of(joined(headers, b"cookie"))
        return Caller(principal, address) if principal else None

    def _with_role(self, person: Person) -> Principal:
        role = role_of(person.groups, self.settings.roles)
        if role is None:
            raise WithoutRole(person)
        return Principal(person.name, role, SignIn.PROXY, person.groups)


def joined(headers: Headers, name: bytes) -> str:
    """The values of all headers of this name, in lower case, as one."""
    return "; ".join(value.decode("latin-1") for key, value in headers if key.lower() == name)


def bearer(headers: Headers) -> str:
    """The token that the request brings, "" for none. Raises BadProxyHeaders for two."""
    found = [value for key, value in headers if key.lower() == b"authorization"]
    if len(found) > 1:
        raise BadProxyHeaders
    scheme, _, token = (found[0] if found else b"").decode("latin-1").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
