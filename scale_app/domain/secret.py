"""Secrets of the operator: how a plan names them, and to which targets each of them may go.

A plan is stored and shown, so it holds `${env:SCALE_SECRET_...}` and never the value. The operator binds each secret to
targets; a plan for another one gets the answer that it gets for a secret that does not exist.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from scale_app.domain.admission import all_listed, host_of, names_host
from scale_app.domain.errors import PlanError

SECRET_PREFIX = "SCALE_SECRET_"
BINDING_SUFFIX = "_FOR"
LEAST_CHARACTERS = 8
"""A shorter value cannot be told from other words in what comes back."""
VALUE = re.compile(r"[\t\x20-\x7e]*")
"""What a header's value may hold."""
HIDDEN = "(hidden)"
"""In place of a secret that an older version stored with a plan."""

_SECRET_HEADER = re.compile(
    r"(^|-)(o?auth(orization|entication)?|bearer|dpop|hmac|assertion|wsse|otp|totp|csrf|xsrf|sig|pwd)(-|$)"
    r"|cookie|token|secret|pass(w|phrase|code)|credential|jwt|api-?key|access-?key"
    r"|(^|-)signature(-[a-z]*[0-9]+)?$|(^|-)key$|^x-.*key$"
)
"""A rule, since every product has a name of its own."""
_READABLE_HEADER = re.compile(
    r"(^|-)(idempotency|cache|surrogate|routing|partition|shard|sharding|hash|sort|message|public|sec-websocket)-?key$"
)
"""What the rule would hide, and everybody may see."""
_REFERENCE = re.compile(r"\$\{env:(" + SECRET_PREFIX + r"[A-Z0-9_]{1,100})\}")
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_NAME = re.compile(SECRET_PREFIX + r"[A-Z0-9_]{1,100}")


@dataclass(frozen=True, slots=True)
class Secret:
    """name: of its variable. value: never shown; "" for none. targets: what it is bound to, as on the allow-list."""

    name: str
    value: str = field(default="", repr=False)
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destined:
    """Where a plan's requests go. addresses: all of the URL's host. own: those that are this machine's.

    own_names: names of this installation, behind whatever proxy.
    """

    url: str
    addresses: Sequence[str]
    own: Collection[str]
    own_names: Collection[str] = ()

    def within(self, targets: Collection[str], asked_hosts: Sequence[str] = ()) -> bool:
        """Do the targets name all of it? asked_hosts: the plan's own Host headers. Never true of this machine."""
        if not all(_HOST.fullmatch(host) for host in asked_hosts):
            return False
        urls = [self.url, *(f"http://{host}/" for host in asked_hosts)]
        return not any(names_host(self.own_names, host_of(url)) for url in urls) and all(
            all_listed(url, self.addresses, targets, self.own) for url in urls
        )


def is_secret_name(name: str) -> bool:
    """Is it the name of a secret's variable, not of its binding?"""
    return bool(_NAME.fullmatch(name)) and not name.endswith(BINDING_SUFFIX)


def hosts_asked(headers: Mapping[str, str]) -> list[str]:
    """The plan's own Host headers, of which it may have several by different spellings."""
    return [value for name, value in headers.items() if name.lower() == "host"]


def host_asked(url: str, headers: Mapping[str, str]) -> str:
    """The host that requests name: the plan's own Host header's, else the URL's."""
    given = next(iter(hosts_asked(headers)), "")
    return host_of(f"//{given}") or host_of(url)


def needed(headers: Mapping[str, str], body: str, bound: Mapping[str, str]) -> dict[str, str]:
    """Those of the secrets that these requests send, {name: value}. bound: what may go to the plan's target.

    Raises PlanError for the first that is not bound, in the same words whatever the reason: who may not use a secret is
    not told that it exists.
    """
    for name, value in headers.items():
        if value == HIDDEN and is_secret_header(name):
            raise PlanError("headers", name, f"its value was a secret and is not kept; give {_example(name)} instead")
    named = [("headers", each) for text in headers.values() for each in _REFERENCE.findall(text)]
    named += [("body", each) for each in _REFERENCE.findall(body)]
    return {name: _value_of(part, name, bound) for part, name in named}


def resolved(part: str, text: str, secrets: Mapping[str, str]) -> str:
    """The text with each reference replaced. part: the plan's field, for the sentence. Raises PlanError."""
    return _REFERENCE.sub(lambda found: _value_of(part, found[1], secrets), text)


def check_references(part: str, text: str) -> None:
    """Raise PlanError for a reference to anything but a secret."""
    if "${env:" in _REFERENCE.sub("", text):
        raise PlanError(part, "${env:...}", f"only variables named {SECRET_PREFIX}... may be asked for")


def is_secret_header(name: str) -> bool:
    """Does a header of this name hold a secret: Authorization, X-Auth, X-Signature-256, Ocp-Apim-Subscription-Key?"""
    plain = name.lower().replace("_", "-")
    return bool(_SECRET_HEADER.search(plain)) and not _READABLE_HEADER.search(plain)


def check_secret_header(name: str, value: str) -> None:
    """Raise PlanError for a header that holds a secret instead of naming it."""
    if is_secret_header(name) and value not in ("", HIDDEN) and not _REFERENCE.search(value):
        raise PlanError(
            "headers", name, f"its value is stored and shown with the plan; give {_example(name)} instead of a secret"
        )


def _example(name: str) -> str:
    scheme = "Bearer " if name.lower() == "authorization" else ""
    return f"{scheme}${{env:{SECRET_PREFIX}NAME}}"


def _value_of(part: str, name: str, secrets: Mapping[str, str]) -> str:
    if value := secrets.get(name):
        return value
    accepted = f"no secret of this name is bound to this target; the operator does that with {name}{BINDING_SUFFIX}"
    raise PlanError(part, f"${{env:{name}}}", accepted)
