import subprocess
import sys
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


def test_version_is_the_installed_one() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    result = CliRunner().invoke(scale, ["--version"])
    assert (result.exit_code, result.output) == (0, f"scale {project['version']}\n")


READER_GONE = """
import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, 1)
from scale_app.cli.terminal import output, print_json
print_json({"any": "thing"}) if sys.argv[1] == "json" else output().print("A line.")
sys.exit(7)
"""


@pytest.mark.parametrize("how", ["json", "text"])
def test_a_reader_that_has_gone_changes_no_exit_code_and_is_no_traceback(how: str) -> None:
    done = subprocess.run([sys.executable, "-c", READER_GONE, how], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (7, "")


@pytest.mark.parametrize("arguments", [["schema"], ["completion", "bash"]])
def test_what_one_line_of_is_read_ends_without_a_word(arguments: list[str]) -> None:
    command = [
        sys.executable,
        "-c",
        READER_GONE.partition("from scale_app")[0] + "from scale_app.cli import main; main()",
    ]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
