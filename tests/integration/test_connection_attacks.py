"""Clients that mean harm, on real sockets: meanwhile probes and people are answered, and a run goes on.

The attackers come from 127.0.0.2, people from 127.0.0.1, except where both share an address, as behind a proxy.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from scale_app.child_process import allow_all_files
from scale_app.cli.connections import LOOK_EVERY_S
from tests.serving import PROJECT, Served, fetch, free_port, served

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the limit of one client is not kept")
ATTACKER, ORDINARY = "127.0.0.2", "127.0.0.1"
PER_CLIENT, IN_ALL = 300, 500
SILENT = 1_100
LIMIT_S = 60.0
HANDSHAKE = (
    b"GET /ws/metrics HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
KEPT_ALIVE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
SLOW_BODY = b"POST /api/load-test/start HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"


class Attacked:
    """A server with a run, and the clients that are connected to it."""

    def __init__(self, server: Served, probe_port: int, run_id: str) -> None:
        self.server, self.probe_port, self.run_id = server, probe_port, run_id
        self._held = ExitStack()

    def connect(self, count: int, says: bytes = b"", source: str = ATTACKER) -> list[socket.socket]:
        """So many connections, each of which says this. One that is cut at once is no error."""
        made = []
        for _ in range(count):
            client = socket.create_connection((ORDINARY, self.server.port), LIMIT_S, source_address=(source, 0))
            self._held.enter_context(client)
            self.say(client, says)
            made.append(client)
        return made

    @staticmethod
    def say(client: socket.socket, what: bytes) -> None:
        try:
            client.sendall(what)
        except OSError:
            assert what  # cut

    def assert_answered(self) -> None:
        """Probes and people get their answers, and the run goes on."""
        before = self._requests()
        for probe in ("healthz", "readyz"):
            until(lambda probe=probe: fetch(f"http://{ORDINARY}:{self.probe_port}/{probe}")[0] == 200)
        assert self.server.get("/healthz")[0] == 200
        assert self.server.get("/api/v1/runs")[0] == 200
        until(lambda: self._requests() > before)

    def let_go(self) -> None:
        self._held.close()

    def _requests(self) -> int:
        run = json.loads(self.server.get(f"/api/v1/runs/{self.run_id}")[1])
        assert run["state"] in ("starting", "running"), run
        return int((run["last"] or {"requests": 0})["requests"])


def started(server: Served) -> str:
    """The id of a run that goes on until the server ends."""
    plan = {"target_url": "demo", "users": 5, "spawn_rate": 50, "duration": 3_600}
    headers = {"Content-Type": "application/json"}
    status, body = fetch(f"{server.url}/api/load-test/start", headers, json.dumps(plan).encode())
    assert status == 200, body
    return str(json.loads(body)["test_id"])


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def open_ones(clients: list[socket.socket]) -> int:
    """How many the server has not cut; what it said meanwhile is passed over."""
    return sum(map(is_open, clients))


def is_open(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(65_536):
            pass
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, int, str]]:
    allow_all_files()
    probe_port = free_port()
    limits = {"SCALE_MAX_CONNECTIONS": str(IN_ALL), "SCALE_MAX_CONNECTIONS_PER_CLIENT": str(PER_CLIENT)}
    environment = os.environ | limits | {"SCALE_PROBE_PORT": str(probe_port), "PYTHONPATH": str(PROJECT)}
    command = (sys.executable, "-m", "tests.integration.hub_application")
    with served(command, environment=environment, scratch=tmp_path_factory.mktemp("attacked")) as running:
        yield running, probe_port, started(running)


@pytest.fixture
def attacked(server: tuple[Served, int, str]) -> Iterator[Attacked]:
    made = Attacked(*server)
    yield made
    made.let_go()


@pytest.mark.parametrize("source", [ATTACKER, ORDINARY])
def test_more_silent_connections_than_the_backlog_held(attacked: Attacked, source: str) -> None:
    silent = attacked.connect(SILENT, source=source)
    attacked.assert_answered()
    until(lambda: open_ones(silent) <= PER_CLIENT)
    attacked.assert_answered()


@pytest.mark.parametrize("says", [KEPT_ALIVE, HANDSHAKE, SLOW_BODY, b"GET / HT"])
def test_many_connections_of_one_client_that_said_something(attacked: Attacked, says: bytes) -> None:
    kept = attacked.connect(PER_CLIENT + 200, says)
    attacked.assert_answered()
    until(lambda: open_ones(kept) <= PER_CLIENT)
    attacked.assert_answered()


def test_messages_of_a_websocket_that_never_end(attacked: Attacked) -> None:
    """The server kept up to 64 MB of each, whoever may not more than look."""
    (sending, *others) = attacked.connect(20, HANDSHAKE)
    for _ in range(60):
        attacked.say(sending, frame(0 if _ else 1, b"a" * 200_000))
    until(lambda: not is_open(sending))
    assert open_ones(others) == len(others)
    attacked.assert_answered()


def test_a_websocket_of_many_messages_that_are_complete_is_not_cut(attacked: Attacked) -> None:
    (sending,) = attacked.connect(1, HANDSHAKE, source=ORDINARY)
    for _ in range(3_000):
        sending.sendall(frame(0x81, b"a" * 4_000))
    attacked.assert_answered()
    time.sleep(2 * LOOK_EVERY_S)  # there is nothing to wait for: that it is not cut
    assert is_open(sending)


def frame(first_byte: int, payload: bytes) -> bytes:
    """Of a client, masked by zeros. first_byte: the kind, with 0x80 for the last of a message."""
    long = 127 if len(payload) > 0xFFFF else 126
    size = len(payload).to_bytes(8 if long == 127 else 2, "big")
    return bytes([first_byte, 0x80 | long]) + size + bytes(4) + payload


def test_heads_of_a_byte_at_a_time(attacked: Attacked) -> None:
    slow = attacked.connect(200, b"G")
    for byte in b"ET /healthz":
        for client in slow:
            attacked.say(client, bytes([byte]))
        attacked.assert_answered()


def test_many_clients_beyond_the_limit_in_all(attacked: Attacked) -> None:
    crowd = [client for last in range(3, 7) for client in attacked.connect(200, source=f"127.0.0.{last}")]
    attacked.assert_answered()
    until(lambda: open_ones(crowd) <= IN_ALL)
    attacked.assert_answered()


def test_half_closed_connections(attacked: Attacked) -> None:
    for client in attacked.connect(SILENT, KEPT_ALIVE):
        try:
            client.shutdown(socket.SHUT_WR)
        except OSError:
            continue  # cut
    attacked.assert_answered()


def test_a_client_within_its_limit_is_not_cut(attacked: Attacked) -> None:
    feeds = attacked.connect(PER_CLIENT - 100, HANDSHAKE, source=ORDINARY)
    attacked.connect(SILENT)
    attacked.assert_answered()
    assert open_ones(feeds) == len(feeds)
