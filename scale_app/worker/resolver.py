"""Names to addresses, beside the load: connections that need one wait here, everything else goes on."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gevent  # type: ignore[import-untyped]

from scale_app.domain.plan import DnsPolicy
from scale_app.worker.causes import ADDRESS_NOT_ALLOWED, NOT_RESOLVED, cause_of
from scale_app.worker.destination import Destination

FAILURE_KEPT_S = 1.0
NAME_KEPT_S: dict[DnsPolicy, float] = {"connection": 0.0, "second": 1.0, "once": float("inf")}
"""What the plan's policy means for `Resolver`."""


@dataclass(frozen=True, slots=True)
class Address:
    """One resolved address: socket family and the tuple to connect to."""

    family: int
    endpoint: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a name led to: permitted addresses, or the cause why there is none."""

    addresses: tuple[Address, ...] = ()
    cause: str = ""

    def in_order(self) -> list[Address]:
        """In random order, as a shuffling name server would have it, those of the preferred family first."""
        if len(self.addresses) < 2:
            return list(self.addresses)
        preferred = self.addresses[0].family
        return sorted(self.addresses, key=lambda a: (a.family != preferred, random.random()))


class Resolver:
    """The destination's permitted addresses, each answer of the name server kept for so many seconds.

    Kept for 0 s, every connection has a lookup of its own, as with real clients; that puts the whole load on the
    cluster's name server as well. A failed lookup is never kept for longer than a second.
    """

    def __init__(self, destination: Destination, kept_s: float) -> None:
        self._destination = destination
        self._kept_s = kept_s
        self._known = Resolved()
        self._until_s = 0.0
        self._waiting: list[Callable[[Resolved], None]] = []
        if _is_address(destination.host):
            self._known, self._until_s = look_up(destination), float("inf")

    def ask(self, then: Callable[[Resolved], None]) -> None:
        """Call `then` with the result: at once when it is known, else after the lookup."""
        if monotonic() < self._until_s:
            then(self._known)
        elif not self._kept_s:
            gevent.spawn(lambda: then(look_up(self._destination)))
        else:
            self._waiting.append(then)
            if len(self._waiting) == 1:
                gevent.spawn(self._refresh)

    def _refresh(self) -> None:
        self._known = look_up(self._destination)
        kept_s = self._kept_s if self._known.addresses else min(self._kept_s, FAILURE_KEPT_S)
        self._until_s = monotonic() + kept_s
        waiting, self._waiting = self._waiting, []
        for then in waiting:
            then(self._known)


def look_up(where: Destination) -> Resolved:
    """The permitted addresses of a destination. Waits for the name server: call it in a greenlet."""
    try:
        found = socket.getaddrinfo(where.host, where.port, type=socket.SOCK_STREAM)
    except OSError as error:
        return Resolved(cause=cause_of(error))
    except UnicodeError:
        return Resolved(cause=NOT_RESOLVED)
    permitted = tuple(Address(f, endpoint) for f, _, _, _, endpoint in found if where.permits(str(endpoint[0])))
    return Resolved(permitted) if permitted else Resolved(cause=ADDRESS_NOT_ALLOWED)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
