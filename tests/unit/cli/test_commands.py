import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from scale_app.cli.commands import scale

PROJECT = Path(__file__).parents[3]


def test_the_scale_command_is_this_package() -> None:
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"scale": "scale_app.cli:main"}


def test_help_names_the_commands() -> None:
    result = CliRunner().invoke(scale, ["--help"])
    assert result.exit_code == 0
    assert "serve" in result.output
    assert "build" in result.output


def test_every_command_of_the_table_is_there_under_its_name() -> None:
    assert len(scale.commands) > 10
    for name, command in scale.commands.items():
        assert command.name == name
        assert command.help


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["serv"], "No such command 'serv'. Did you mean 'serve'?: see `scale --help`."),
        (["build", "--forced"], "No such option '--forced'. Did you mean '--force'?: see `scale build --help`."),
        (["build", "now"], "Got unexpected extra argument (now): see `scale build --help`."),
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_64(arguments: list[str], sentence: str) -> None:
    result = CliRunner().invoke(scale, arguments, prog_name="scale")
    assert (result.exit_code, result.output.strip()) == (64, sentence)
