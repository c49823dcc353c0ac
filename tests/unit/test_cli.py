import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scale_app import cli
from scale_app.settings import Settings

PROJECT = Path(__file__).parents[2]


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


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a built project, and the current one."""
    (tmp_path / "rxconfig.py").write_text("config = 1\n")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/logo.svg").write_text("<svg/>")
    page = tmp_path / cli.PAGE
    page.parent.mkdir(parents=True)
    page.write_text("<html>")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def serve(**environment: str) -> Result:
    return CliRunner().invoke(cli.main, ["serve"], env=environment)


def test_the_scale_command_is_this_module() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"scale": "scale_app.cli:main"}


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(cli.main, ["--help"])
    assert result.exit_code == 0
    assert "serve" in result.output
    assert "build" in result.output


@pytest.mark.usefixtures("project")
def test_a_bad_setting_is_one_sentence_and_exit_code_64() -> None:
    result = serve(SCALE_PORT="eighty")
    assert result.exit_code == 64
    assert lines_of(result) == ["SCALE_PORT = 'eighty' is not accepted: a whole number from 1 to 65535."]


@pytest.mark.usefixtures("project")
def test_a_taken_port_is_one_sentence_that_names_it() -> None:
    with taken_port() as port:
        result = serve(SCALE_PORT=str(port))
    assert result.exit_code == 1
    (line,) = lines_of(result)
    assert line.startswith(f"Cannot listen on 127.0.0.1:{port}: Address already in use")
    assert "SCALE_PORT" in line


@pytest.mark.usefixtures("project")
def test_an_unknown_host_name_is_one_sentence() -> None:
    result = serve(SCALE_HOST="nowhere.invalid", SCALE_PORT="8000")
    assert result.exit_code == 1
    (line,) = lines_of(result)
    assert line.startswith("Cannot listen on nowhere.invalid:8000: ")


def test_serving_outside_the_project_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = serve()
    assert result.exit_code == 1
    assert lines_of(result) == [f"There is no rxconfig.py in {tmp_path}: start `scale` in the project's folder."]


def test_serving_without_a_built_page_says_how_to_build_it(project: Path) -> None:
    (project / cli.PAGE).unlink()
    result = serve()
    assert result.exit_code == 1
    (line,) = lines_of(result)
    assert "scale build" in line


def test_a_free_address_is_resolved_for_the_server() -> None:
    port = unused_port()
    assert cli.free_address(Settings(host="127.0.0.1", port=port)) == ("127.0.0.1", port)
    assert cli.free_address(Settings(host="0.0.0.0", port=port)) == ("0.0.0.0", port)


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
    assert cli.shown_url(Settings(host=host)) == url


@pytest.mark.usefixtures("project")
def test_an_unchanged_page_is_not_built_again() -> None:
    cli.BUILT_FROM.write_text(cli.page_fingerprint(Path()))
    result = CliRunner().invoke(cli.main, ["build"])
    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.usefixtures("project")
@pytest.mark.parametrize("changed", ["rxconfig.py", "assets/logo.svg", "assets/new.svg", "scale_app/ui/page.py"])
def test_a_changed_or_new_source_makes_the_page_old(changed: str) -> None:
    cli.BUILT_FROM.write_text(cli.page_fingerprint(Path()))
    assert cli.page_is_current()
    Path(changed).parent.mkdir(parents=True, exist_ok=True)
    Path(changed).write_text("changed")
    assert not cli.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_removed_or_renamed_source_makes_the_page_old() -> None:
    cli.BUILT_FROM.write_text(cli.page_fingerprint(Path()))
    Path("assets/logo.svg").rename("assets/mark.svg")
    assert not cli.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_page_that_is_gone_is_built_again() -> None:
    cli.BUILT_FROM.write_text(cli.page_fingerprint(Path()))
    cli.PAGE.unlink()
    assert not cli.page_is_current()


@pytest.mark.usefixtures("project")
def test_a_build_that_fails_says_so_and_is_not_remembered() -> None:
    Path("rxconfig.py").write_text("raise RuntimeError('no such theme')\n")
    result = CliRunner().invoke(cli.main, ["build"])
    assert result.exit_code == 1
    assert "no such theme" in result.output
    assert lines_of(result)[-1].startswith("Building the page with `reflex export` ended with exit code 1:")
    assert not cli.page_is_current()
