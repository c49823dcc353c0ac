"""Which connections are cut when there are too many; on real sockets of this process."""

from __future__ import annotations

import fcntl
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from scale_app.cli.commands import CannotStart
from scale_app.cli.connections import (
    OPEN_FILES,
    AcceptedConnection,
    ConnectionWatch,
    allow_connections,
    client_of,
    surplus,
)

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is watched")


def connections(client: str, *answered: bool) -> list[AcceptedConnection]:
    """One for each, in the order in which they came."""
    return [AcceptedConnection(0, (client, number), client, number, yes) for number, yes in enumerate(answered)]


def cut(found: list[AcceptedConnection], in_all: int, per_client: int) -> list[tuple[str, int]]:
    return sorted((each.client, each.order) for each in surplus(found, in_all, per_client))


def test_nothing_is_cut_within_the_limits() -> None:
    found = connections("a", True, False, True) + connections("b", True)
    assert cut(found, in_all=4, per_client=3) == []


def test_of_one_client_the_longest_silence_is_cut_first_and_then_the_newest() -> None:
    found = connections("a", True, False, True, False, True)
    assert cut(found, 100, 4) == [("a", 1)]
    assert cut(found, 100, 3) == [("a", 1), ("a", 3)]
    assert cut(found, 100, 2) == [("a", 1), ("a", 3), ("a", 4)]


def test_beyond_the_limit_in_all_those_with_most_are_cut() -> None:
    found = connections("many", *[False] * 10) + connections("some", *[True] * 3) + connections("one", True)
    assert {client for client, _ in cut(found, 8, 10)} == {"many"}
    assert len(cut(found, 8, 10)) == 6
    assert len(cut(found, 5, 10)) == 9  # two of each that has two


def test_more_clients_than_connections_are_cut_as_well() -> None:
    found = [AcceptedConnection(0, ("", n), str(n), n, answered=n > 3) for n in range(10)]
    assert cut(found, 6, 5) == [("0", 0), ("1", 1), ("2", 2), ("3", 3)]


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_client_is_an_address_or_a_network_of_ipv6(address: str, client: str) -> None:
    assert client_of(address) == client


class Doors:
    """A listener of this process, and connections from two addresses."""

    def __init__(self, held: ExitStack) -> None:
        self._held = held
        self._listener = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        self.port: int = self._listener.getsockname()[1]

    def connect(self, source: str = "127.0.0.1", answered: bool = False) -> socket.socket:
        where = ("127.0.0.1", self.port)
        client = self._held.enter_context(socket.create_connection(where, source_address=(source, 0)))
        accepted = self._held.enter_context(self._listener.accept()[0])
        client.settimeout(10)
        if answered:
            accepted.sendall(b"answer")
            assert client.recv(6) == b"answer"
        return client


@pytest.fixture
def doors() -> Iterator[Doors]:
    with ExitStack() as held:
        yield Doors(held)


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(1) != b""
    except BlockingIOError:
        return True


@needs_linux
def test_the_watch_cuts_what_is_beyond_and_leaves_the_rest(doors: Doors) -> None:
    served, silent, other = (
        doors.connect(answered=True),
        [doors.connect() for _ in range(4)],
        doors.connect("127.0.0.2"),
    )
    assert ConnectionWatch(doors.port, in_all=100, per_client=2).look() == 3
    assert sum(map(is_open, silent)) == 1
    assert is_open(served)
    assert is_open(other)
    assert ConnectionWatch(doors.port, in_all=1, per_client=1).look() == 2


@needs_linux
def test_the_watch_remembers_who_came_first(doors: Doors) -> None:
    watch, first = ConnectionWatch(doors.port, in_all=2, per_client=2), doors.connect(answered=True)
    assert watch.look() == 0
    later = [doors.connect(answered=True) for _ in range(3)]
    assert watch.look() == 2
    assert is_open(first)
    assert sum(map(is_open, later)) == 1


LOCKED = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"


@needs_linux
def test_the_locks_that_a_database_holds_on_its_file_stay(doors: Doors, tmp_path: Path) -> None:
    doors.connect()
    with (tmp_path / "scale.db").open("w") as database:
        fcntl.lockf(database, fcntl.LOCK_EX)
        assert ConnectionWatch(doors.port, in_all=1, per_client=1).look() == 0
        others = subprocess.run(
            [sys.executable, "-c", LOCKED, database.name], capture_output=True, text=True, check=False
        )
        assert "BlockingIOError" in others.stderr


@needs_linux
def test_connections_of_other_ports_are_nothing_to_it(doors: Doors) -> None:
    client = doors.connect()
    with ExitStack() as held:
        for of_others in (*socket.socketpair(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)):
            held.enter_context(of_others)
        before = len(os.listdir(OPEN_FILES))
        assert ConnectionWatch(1, in_all=1, per_client=1).look() == 0
        assert len(os.listdir(OPEN_FILES)) == before
    assert is_open(client)


def test_more_connections_than_the_system_has_files_for_is_a_sentence() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this system has no limit of open files")
    try:
        with pytest.raises(
            CannotStart, match=f"SCALE_MAX_CONNECTIONS = {hard} needs .* set SCALE_MAX_CONNECTIONS lower"
        ):
            allow_connections(hard)
        allow_connections(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
