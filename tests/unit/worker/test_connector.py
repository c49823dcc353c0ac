"""How often a name is resolved, by what the plan says."""

from __future__ import annotations

import socket

import gevent
import pytest

from scale_app.worker import connector
from scale_app.worker.connector import NAME_KEPT_S, Resolution, ResolvedAddress, Resolver
from scale_app.worker.destination import Destination, destination

FOUND = Resolution((ResolvedAddress(socket.AF_INET, ("127.0.0.1", 80)),))
NOT_FOUND = Resolution(cause="name not resolved")


class NameServer:
    """Gives its answers in turn, the last one again and again; now_s: the resolver's clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Resolution) -> None:
        self.asked = 0
        self.now_s = 50.0
        self._answers = answers
        monkeypatch.setattr(connector, "look_up", self._look_up)
        monkeypatch.setattr(connector, "monotonic", lambda: self.now_s)

    def _look_up(self, where: Destination) -> Resolution:
        self.asked += 1
        return self._answers[min(self.asked, len(self._answers)) - 1]


def ask(resolver: Resolver, times: int = 1) -> list[str]:
    """The causes that so many connections hear at the same moment."""
    heard: list[str] = []
    for _ in range(times):
        resolver.ask(lambda resolved: heard.append(resolved.cause))
    gevent.wait()
    return heard


@pytest.mark.parametrize(("dns", "lookups"), [("connection", 9), ("second", 3), ("once", 1)])
def test_a_name_is_looked_up_as_often_as_the_plan_says(monkeypatch: pytest.MonkeyPatch, dns: str, lookups: int) -> None:
    server, names = NameServer(monkeypatch, FOUND), Resolver(destination("http://api/", []), NAME_KEPT_S[dns])
    for _ in range(3):
        assert ask(names, 3) == ["", "", ""]
        server.now_s += 1.5
    assert server.asked == lookups


def test_a_name_that_is_to_be_resolved_once_is_tried_again_until_it_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    server = NameServer(monkeypatch, NOT_FOUND, FOUND)
    names = Resolver(destination("http://api/", []), NAME_KEPT_S["once"])
    assert ask(names) == ["name not resolved"]
    assert ask(names) == ["name not resolved"]
    server.now_s += 1.5
    assert ask(names) == [""]
    server.now_s += 1e6
    assert ask(names) == [""]
    assert server.asked == 2


def test_an_address_is_never_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    names = Resolver(destination("http://127.0.0.1/", ["127.0.0.0/8"]), NAME_KEPT_S["connection"])
    server = NameServer(monkeypatch, FOUND)
    assert ask(names, 3) == ["", "", ""]
    assert server.asked == 0
