"""What strangers wrote is only shown by a terminal: real commands on a terminal of their own, with a server and a file
that mean harm."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from scale_app.api.v1.access import AuditPage, TokenList
from scale_app.api.v1.shapes import RunPage, RunSummary
from scale_app.codec import to_wire
from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.cluster import TargetList
from scale_app.domain.identity import Role
from scale_app.domain.snapshot import RunState, Source

SAID = "SAID"
OBEYED = ("\x1b]0;title\x07", "\x1b[2J", "\x1b[31;5m", "\x9b8m", "\u202e", "\u2028", "\x7f", "\x08")
"""Title, empty screen, colour, an escape of one character, the other direction, a line end, deletes."""
EVIL = f"{SAID}{''.join(OBEYED)}[link=http://evil.example]{SAID}[/link]"
LIMIT_S = 120.0
TOKEN = AccessToken(EVIL, EVIL, EVIL, Role.VIEWER, 1.0)
RUN = RunSummary(
    *(EVIL, EVIL, Source.DEMO, RunState.FINISHED, EVIL, 1.0, 2.0, 1, 1.0, 1, None, None, None, EVIL, EVIL, EVIL),
    unreadable=EVIL,
)
LISTS: dict[str, object] = {
    "runs": RunPage((RUN,), 1, 1, 0),
    "targets": TargetList(problem=EVIL),
    "tokens": TokenList((TOKEN,)),
    "audit": AuditPage((AuditEntry(1.0, EVIL, EVIL, EVIL, EVIL, EVIL, False, EVIL),), 1, 1, 0),
}


class Hostile(BaseHTTPRequestHandler):
    """Refuses everything in words of its own."""

    status: ClassVar[int] = 422

    def do_GET(self) -> None:
        body = json.dumps(self.document()).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def document(self) -> object:
        return {"type": "/api/docs#x", "detail": EVIL, "error": EVIL}

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Away(Hostile):
    """Fails in words of its own."""

    status = 503


class Listing(Hostile):
    """Answers with names of its own."""

    status = 200

    def document(self) -> object:
        return to_wire(LISTS[self.path.partition("?")[0].rpartition("/")[2]])


@contextmanager
def hostile(kind: type[Hostile]) -> Iterator[str]:
    """Its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), kind) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def on_a_terminal(arguments: Sequence[str], folder: Path) -> str:
    """What the command writes to a terminal on which it runs."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/scale.db"}
    with open(ours, "rb", buffering=0) as screen, open(theirs, "wb", buffering=0) as tty:
        command = [sys.executable, "-m", "scale_app.cli", *arguments]
        with subprocess.Popen(command, stdin=tty, stdout=tty, stderr=tty, env=environment) as running:
            tty.close()
            written = b""
            try:
                while piece := screen.read(65_536):
                    written += piece
            except OSError:  # the terminal is gone with the process
                pass
            running.wait(LIMIT_S)
    return written.decode(errors="replace")


def assert_only_shown(written: str) -> None:
    assert SAID in written, written
    assert [each for each in OBEYED if each in written] == []
    assert "\x1b]8" not in written


@pytest.mark.parametrize("kind", [Hostile, Away])
@pytest.mark.parametrize(
    "command",
    ["runs", "targets", "tokens", "audit", "run --duration 1", "export x", "compare a b", "replay x", "doctor"],
)
def test_a_server_s_sentence(command: str, kind: type[Hostile], tmp_path: Path) -> None:
    with hostile(kind) as url:
        assert_only_shown(on_a_terminal([*command.split(), "--server", url], tmp_path))


@pytest.mark.parametrize("command", LISTS)
def test_a_server_s_names(command: str, tmp_path: Path) -> None:
    with hostile(Listing) as url:
        assert_only_shown(on_a_terminal([command, "--server", url], tmp_path))


@pytest.fixture(scope="module")
def evil_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's file in which every name is written by somebody who means harm."""
    folder = tmp_path_factory.mktemp("evil")
    environment = {**os.environ, "SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/scale.db"}
    scale = [sys.executable, "-m", "scale_app.cli"]
    ran = [*scale, "run", "--target", "simulated?pods=3", "--duration", "3", "--json", "--fail-on", "never"]
    done = subprocess.run(ran, env=environment, capture_output=True, check=True, timeout=LIMIT_S)
    run_id = json.loads(done.stdout)["run"]["run_id"]
    told = subprocess.run([*scale, "export", run_id, "-o", "-"], env=environment, capture_output=True, check=True)
    file = folder / "evil.json"
    file.write_text(told.stdout.decode().replace("simulated-000", f"{json.dumps(EVIL)[1:-1]}-"))
    return file


@pytest.mark.parametrize("command", ["replay", "compare"])
def test_names_in_a_file(evil_file: Path, command: str, tmp_path: Path) -> None:
    files = [str(evil_file)] * (2 if command == "compare" else 1)
    assert_only_shown(on_a_terminal([command, *files], tmp_path))
