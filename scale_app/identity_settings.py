"""Who may sign in, and how: the part of the environment that says so. A bad value stops the start, as elsewhere."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

from scale_app.domain.errors import SettingsError
from scale_app.domain.identity import Role
from scale_app.settings import not_negative, read_secret, read_setting

ROLES_ACCEPTED = "role=group, such as viewer=staff,operator=sre,admin=platform; * is everybody who is signed in"
NETWORKS_ACCEPTED = "addresses and CIDR ranges, separated by commas: 10.244.0.0/16, 192.168.7.9"
AUTH_ACCEPTED = "none (nobody signs in, everybody is admin) or required (everybody signs in)"
HEADER_ACCEPTED = "the name of a header, such as X-Forwarded-User"
ISSUER_ACCEPTED = "the issuer's address, which begins with https:// (http:// on loopback)"
HTTPS_OR_LOOPBACK = re.compile(
    r"https://[^\s?#@/]+[^\s?#@]*|http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?(/[^\s?#@]*)?"
)


@dataclass(frozen=True, slots=True)
class OidcSettings:
    """How people sign in at an identity provider with OpenID Connect.

    issuer (SCALE_OIDC_ISSUER): the identity provider, as it names itself; none for no such sign-in. SCALE_PUBLIC_URL is
        needed with it: the provider must send browsers back to SCALE_PUBLIC_URL/auth/callback.
    client_id (SCALE_OIDC_CLIENT_ID): what the provider calls this server.
    client_secret (SCALE_OIDC_CLIENT_SECRET, SCALE_OIDC_CLIENT_SECRET_FILE): the secret that goes with it, or the file
        that holds it; none for a public client.
    groups_claim (SCALE_OIDC_GROUPS_CLAIM): the claim of the ID token that lists a person's groups.
    scopes (SCALE_OIDC_SCOPES): what the provider is asked for, with spaces between; openid must be among them.
    """

    issuer: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    groups_claim: str = "groups"
    scopes: str = "openid profile email groups"


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """A proxy in front of this server that signs people in, and says in headers who they are.

    networks (SCALE_PROXY_NETWORKS): addresses and CIDR ranges, separated by commas, of the proxies whose headers are
        believed; none for no such proxy. From everywhere else these headers are removed. Whoever can send from such an
        address can be anybody, so name the proxy alone.
    user_header, email_header, groups_header (SCALE_PROXY_USER_HEADER, SCALE_PROXY_EMAIL_HEADER,
        SCALE_PROXY_GROUPS_HEADER): the headers that the proxy sets, and which it removes from what clients send; groups
        are separated by commas.
    """

    networks: tuple[str, ...] = ()
    user_header: str = "X-Forwarded-User"
    email_header: str = "X-Forwarded-Email"
    groups_header: str = "X-Forwarded-Groups"


@dataclass(frozen=True, slots=True)
class IdentitySettings:
    """Who a caller is, and what it may do.

    auth (SCALE_AUTH): "none": nobody signs in, and everybody who reaches this server is admin. "required": everybody
        signs in, with a token if there is no other way. Not set, nobody signs in on loopback, unless a proxy or an
        identity provider is configured; and a server that listens elsewhere does not start without one.
    roles (SCALE_ROLES): the groups that have a role, separated by commas: "viewer=staff,operator=sre,admin=platform".
        A group may stand for several people and a role for several groups; "*" is everybody who is signed in.
        Whoever is in none of them is refused.
    audit_days (SCALE_AUDIT_DAYS): for how many days entries of the audit log are kept; 0 for ever.
    """

    auth: str = ""
    roles: Mapping[str, Role] = field(default_factory=dict)
    proxy: ProxySettings = ProxySettings()
    oidc: OidcSettings = OidcSettings()
    audit_days: float = 400.0

    def open_to_all(self, host: str) -> bool:
        """True when nobody signs in to a server that listens there: it was said so, or only this machine gets there."""
        return self.auth == "none" or not (self._asks_who or not on_loopback(host))

    def objection(self, host: str) -> str:
        """Why a server must not listen there, "" when it may."""
        if self.auth == "none" or self._asks_who or on_loopback(host):
            return ""
        return (
            f"SCALE_HOST = {host!r} lets other machines in, and nothing says who may do what here. Set "
            "SCALE_PROXY_NETWORKS (a proxy signs people in), SCALE_OIDC_ISSUER (an identity provider does) or "
            "SCALE_AUTH=required (tokens alone), or say SCALE_AUTH=none, and everybody who reaches it is admin."
        )

    @property
    def _asks_who(self) -> bool:
        return bool(self.auth == "required" or self.proxy.networks or self.oidc.issuer)


def on_loopback(host: str) -> bool:
    """Does only this machine reach what listens there? A name other than localhost may be anything."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def load_identity(environment: Mapping[str, str] = os.environ) -> IdentitySettings:
    """From the environment. Raises SettingsError for the first value that is not accepted."""
    read = partial(read_setting, environment)
    found = IdentitySettings(
        auth=read("SCALE_AUTH", "", _auth, AUTH_ACCEPTED),
        roles=read("SCALE_ROLES", {}, _roles, ROLES_ACCEPTED),
        proxy=_load_proxy(environment),
        oidc=_load_oidc(environment),
        audit_days=read("SCALE_AUDIT_DAYS", 400.0, not_negative, "days, or 0 for ever"),
    )
    if found.auth == "none" and (found.proxy.networks or found.oidc.issuer):
        raise SettingsError(
            "SCALE_AUTH=none lets everybody in as admin, and SCALE_PROXY_NETWORKS or SCALE_OIDC_ISSUER is set: "
            "set one or the other."
        )
    return found


def _load_proxy(environment: Mapping[str, str]) -> ProxySettings:
    own, read = ProxySettings(), partial(read_setting, environment)
    networks = read("SCALE_PROXY_NETWORKS", own.networks, _networks, NETWORKS_ACCEPTED)
    if networks and not environment.get("SCALE_ROLES", "").strip():
        raise SettingsError("SCALE_PROXY_NETWORKS is set, and SCALE_ROLES is not: set it, too, or neither.")
    return ProxySettings(
        networks,
        read("SCALE_PROXY_USER_HEADER", own.user_header, _header, HEADER_ACCEPTED),
        read("SCALE_PROXY_EMAIL_HEADER", own.email_header, _header, HEADER_ACCEPTED),
        read("SCALE_PROXY_GROUPS_HEADER", own.groups_header, _header, HEADER_ACCEPTED),
    )


def _load_oidc(environment: Mapping[str, str]) -> OidcSettings:
    own, read = OidcSettings(), partial(read_setting, environment)
    if not (issuer := read("SCALE_OIDC_ISSUER", "", _issuer, ISSUER_ACCEPTED)):
        return own
    for needed in ("SCALE_OIDC_CLIENT_ID", "SCALE_PUBLIC_URL", "SCALE_ROLES"):
        if not environment.get(needed, "").strip():
            raise SettingsError(f"SCALE_OIDC_ISSUER is set, and {needed} is not: set it, too, or neither.")
    return OidcSettings(
        issuer,
        environment["SCALE_OIDC_CLIENT_ID"].strip(),
        read_secret(environment, "SCALE_OIDC_CLIENT_SECRET"),
        read("SCALE_OIDC_GROUPS_CLAIM", own.groups_claim, str, "the name of a claim"),
        read("SCALE_OIDC_SCOPES", own.scopes, _scopes, "scopes with spaces between, openid among them"),
    )


def _auth(text: str) -> str:
    if text not in ("none", "required"):
        raise ValueError(text)
    return text


def _networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(item)) for item in filter(None, map(str.strip, text.split(","))))


def _header(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,80}", text):
        raise ValueError(text)
    return text


def _issuer(text: str) -> str:
    if not HTTPS_OR_LOOPBACK.fullmatch(text):
        raise ValueError(text)
    return text


def _scopes(text: str) -> str:
    if "openid" not in text.split():
        raise ValueError(text)
    return text


def _roles(text: str) -> Mapping[str, Role]:
    """By group. A group that is named twice has the higher of its roles."""
    found: dict[str, Role] = {}
    for item in filter(None, map(str.strip, text.split(","))):
        role, _, group = item.partition("=")
        if not group.strip():
            raise ValueError(item)
        named = Role(role.strip())
        found[group.strip()] = max(named, found.get(group.strip(), named), key=list(Role).index)
    return found
