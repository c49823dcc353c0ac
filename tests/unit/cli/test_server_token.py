"""Commands send a token from the environment or a file, as a header, and tell it to nobody else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from click.testing import CliRunner

from scale_app.cli.commands import Exit, scale
from scale_app.cli.server_token import bearer_header
from scale_app.domain.errors import SettingsError

TOKEN = "scale_0123456789ab_secret"
UNKNOWN = (
    b'{"type": "/api/docs#not-signed-in", "title": "Not signed in", "status": 401, "detail": "Nobody is known.", '
    b'"field": ""}'
)


class OneAnswer:
    """A server that takes one request, keeps it, and answers that nobody is known, or so."""

    def __init__(self, status: str = "401 Unauthorized", body: bytes = UNKNOWN) -> None:
        self.asked = b""
        self._answer = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with closing(self._socket):
            connection, _ = self._socket.accept()
        with connection:
            self.asked = connection.recv(65_536)
            connection.sendall(self._answer)

    def end(self) -> None:
        self._thread.join(10)


@pytest.fixture
def server() -> Iterator[OneAnswer]:
    running = OneAnswer()
    yield running
    running.end()


@pytest.mark.parametrize("in_file", [True, False])
def test_the_token_is_sent_as_a_header_and_what_to_set_is_told_when_it_is_not_known(
    server: OneAnswer, tmp_path: Path, in_file: bool
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    given = {"SCALE_TOKEN_FILE": str(tmp_path / "token")} if in_file else {"SCALE_TOKEN": TOKEN}
    ended = CliRunner().invoke(scale, ["tokens", "--server", server.url], env=given)
    assert f"authorization: bearer {TOKEN}".encode() in server.asked.lower()
    assert TOKEN.encode() not in server.asked.split(b"\r\n")[0]
    assert ended.exit_code == Exit.WRONG_USE
    assert "Nobody is known. This command takes its token from SCALE_TOKEN" in ended.output
    assert TOKEN not in ended.output


@pytest.mark.parametrize(
    ("status", "why"),
    [
        ("302 Found\r\nLocation: https://login.example/", "is there a sign-in in front of it that lets no token pass?"),
        ("403 Forbidden", "is there a sign-in in front of it that lets no token pass?"),
        ("404 Not Found", "is the URL right?"),
    ],
)
def test_a_sign_in_that_answers_in_the_servers_place_is_told(status: str, why: str) -> None:
    server = OneAnswer(status, b"<html>Sign in</html>")
    ended = CliRunner().invoke(scale, ["tokens", "--server", server.url], env={"SCALE_TOKEN": TOKEN})
    server.end()
    assert f"answered with status {status[:3]} but not like Scale: {why}" in ended.output


def test_the_server_of_a_group_is_that_of_its_commands(server: OneAnswer) -> None:
    CliRunner().invoke(scale, ["tokens", "--server", server.url, "make", "nightly"])
    assert server.asked.startswith(b"POST /api/v1/tokens ")


def test_without_a_token_none_is_sent() -> None:
    assert bearer_header({}) == {}
    assert bearer_header({"SCALE_TOKEN": "  "}) == {}


@pytest.mark.parametrize("token", ["two words", "a\r\nHost: evil", "ü", "a\x00b"])
def test_what_no_header_can_hold_is_refused_and_not_told(token: str) -> None:
    with pytest.raises(SettingsError, match="SCALE_TOKEN is not accepted") as refused:
        bearer_header({"SCALE_TOKEN": token})
    assert token not in str(refused.value)


@pytest.mark.parametrize("url", ["http://u:hunter2@127.0.0.1:1", "ftp://hunter2@x/"])
def test_a_password_in_the_server_s_url_is_refused_and_not_told(url: str) -> None:
    done = CliRunner().invoke(scale, ["runs", "--server", url])
    assert (done.exit_code, "leave user name and password out" in done.output) == (Exit.WRONG_USE, True)
    assert "hunter2" not in done.output


def test_a_token_that_no_header_can_hold_is_not_called_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALE_TOKEN", "two words")
    done = CliRunner().invoke(scale, ["runs", "--server", "http://127.0.0.1:1"])
    assert done.output.startswith("SCALE_TOKEN is not accepted")


def test_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(SettingsError, match=r"SCALE_TOKEN_FILE = '/nowhere/token' .* cannot be read"):
        bearer_header({"SCALE_TOKEN_FILE": "/nowhere/token"})


@pytest.mark.parametrize("command", [["tokens"], ["tokens", "make", "x"], ["audit"], ["runs"]])
def test_no_command_takes_a_token_as_an_argument(command: list[str]) -> None:
    told = CliRunner().invoke(scale, [*command, "--help"]).output
    assert "--token" not in told
