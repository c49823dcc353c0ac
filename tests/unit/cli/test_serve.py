import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scale_app.cli.build import PAGE
from scale_app.cli.commands import scale
from scale_app.cli.server import free_address, shown_url
from scale_app.settings import Settings, require_hosts


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def unused_port() -> int:
    with taken_port() as port:
        return port


def lines_of(result: Result) -> list[str]:
    return result.output.strip().splitlines()


OTHERS_COME_IN = {"SCALE_ALLOWED_HOSTS": "scale.example", "SCALE_AUTH": "none"}


def serve(**environment: str) -> Result:
    return CliRunner().invoke(scale, ["serve"], env=environment)


@pytest.mark.usefixtures("project")
def test_a_bad_setting_is_one_sentence_and_exit_code_64() -> None:
    result = serve(SCALE_PORT="eighty")
    assert result.exit_code == 64
    assert lines_of(result) == ["SCALE_PORT = 'eighty' is not accepted: a whole number from 1 to 65535."]


@pytest.mark.usefixtures("project")
def test_a_taken_port_is_one_sentence_that_names_it() -> None:
    with taken_port() as port:
        result = serve(SCALE_PORT=str(port))
    assert result.exit_code == 3
    (line,) = lines_of(result)
    assert line.startswith(f"Cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "SCALE_PORT" in line


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "scale.internal"])
def test_other_machines_are_not_let_in_without_the_names_that_they_use(host: str) -> None:
    result = serve(SCALE_HOST=host)
    assert result.exit_code == 64
    (line,) = lines_of(result)
    assert line.startswith(
        f"SCALE_HOST = '{host}' lets other machines in, and SCALE_ALLOWED_HOSTS is not set: set it to"
    )


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.7"])
def test_other_machines_are_not_let_in_unless_something_says_who_may_do_what(host: str) -> None:
    result = serve(SCALE_HOST=host, SCALE_ALLOWED_HOSTS="scale.example")
    assert result.exit_code == 3
    (line,) = lines_of(result)
    assert line.startswith(f"SCALE_HOST = '{host}' lets other machines in, and nothing says who may do what here.")
    assert "SCALE_AUTH=none" in line


def test_on_loopback_or_with_its_names_listed_the_server_may_start() -> None:
    for host in ("127.0.0.1", "::1", "localhost", "127.1.2.3"):
        require_hosts(Settings(host=host))
    require_hosts(Settings(host="0.0.0.0", allowed_hosts=("scale.example",)))


@pytest.mark.usefixtures("project")
def test_an_unknown_host_name_is_one_sentence() -> None:
    result = serve(SCALE_HOST="nowhere.invalid", SCALE_PORT="8000", **OTHERS_COME_IN)
    assert result.exit_code == 3
    everybody, line = lines_of(result)
    assert everybody == "SCALE_AUTH=none: nobody signs in, and everybody who reaches this server is admin."
    assert line.startswith("Cannot listen on nowhere.invalid:8000: ")


def test_serving_outside_the_project_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = serve()
    assert result.exit_code == 3
    assert lines_of(result) == [f"There is no rxconfig.py in {tmp_path}: start `scale` in the project's folder."]


def test_serving_without_a_built_page_says_how_to_build_it(project: Path) -> None:
    (project / PAGE).unlink()
    result = serve()
    assert result.exit_code == 3
    (line,) = lines_of(result)
    assert "scale build" in line


def test_a_free_address_is_resolved_for_the_server() -> None:
    port = unused_port()
    assert free_address(Settings(host="127.0.0.1", port=port)) == ("127.0.0.1", port)
    assert free_address(Settings(host="0.0.0.0", port=port)) == ("0.0.0.0", port)


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://127.0.0.1:8000"),
        ("::1", "http://[::1]:8000"),
        ("scale.internal", "http://scale.internal:8000"),
    ],
)
def test_the_printed_address_can_be_opened(host: str, url: str) -> None:
    assert shown_url(Settings(host=host)) == url
