"""Which names this server answers to, where the operator has listed them: against pages whose name is re-pointed here.

A foreign page may let its own name resolve to this machine's address later ("DNS rebinding"); its scripts then talk to
this server as if it were theirs, and Origin and Host agree. Only the name gives it away, so the names are listed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

ANSWERED_BY_ANY_NAME = ("/healthz", "/readyz")
"""Kubernetes asks its probes by the pod's address."""


def host_objection(path: str, hosts: list[str], allowed: Collection[str]) -> str:
    """Why a request is not answered, "" when it is. hosts: its Host headers. allowed: names and "*.domains"; none for
    any name."""
    if not allowed or path in ANSWERED_BY_ANY_NAME:
        return ""
    name = _name(hosts[0]) if len(hosts) == 1 else ""
    if name and (_is_this_machine(name) or any(_fits(name, entry) for entry in allowed)):
        return ""
    return (
        f"This server was asked as {', '.join(hosts)[:200] or 'no host'}, which is not in SCALE_ALLOWED_HOSTS, so it "
        "did not answer. Use one of its names, or add this one."
    )


def _name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:  # no host, or a port that is none
        return ""


def _is_this_machine(name: str) -> bool:
    """True for the names that no foreign page can have."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")


def _fits(name: str, entry: str) -> bool:
    return name.endswith(entry[1:]) if entry.startswith("*.") else name == entry
