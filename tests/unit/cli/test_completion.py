"""Completion is a script for the shell, printed or put where the shell finds it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scale_app.cli.commands import scale


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SHELL", "/bin/bash")
    return tmp_path


def typed(*arguments: str) -> Result:
    return CliRunner().invoke(scale, ["completion", *arguments], prog_name="scale")


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".local/share/bash-completion/completions/scale"),
        ("zsh", ".zfunc/_scale"),
        ("fish", ".config/fish/completions/scale.fish"),
    ],
)
def test_install_writes_what_is_printed_where_the_shell_looks(home: Path, shell: str, file: str) -> None:
    said = typed(shell, "--install").output
    assert f"Wrote {home / file}." in said
    assert (home / file).read_text() + "\n" == typed(shell).output


def test_without_a_shell_it_is_the_one_in_use(home: Path) -> None:
    assert typed().output == typed("bash").output


def test_an_unknown_shell_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    result = typed()
    assert (result.exit_code, "There is no completion for tcsh" in result.output) == (64, True)


def test_what_cannot_be_written_is_told(home: Path) -> None:
    (home / ".zfunc").write_text("in the way")
    result = typed("zsh", "--install")
    assert result.exit_code == 3
    assert "cannot be written" in result.output


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash_completes_a_command_and_a_flag(home: Path) -> None:
    script = """. /dev/stdin; COMP_WORDS=(scale $1); COMP_CWORD=$2; _scale_completion scale; echo "${COMPREPLY[@]}" """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def completed(line: str, at: int) -> str:
        command = ["bash", "--norc", "-c", script, "bash", line, str(at)]
        done = subprocess.run(
            command, input=typed("bash").output, capture_output=True, text=True, env={"PATH": path}, check=False
        )
        return done.stdout.strip()

    assert completed("expo", 1) == "export"
    assert completed("run --dur", 2) == "--duration"
