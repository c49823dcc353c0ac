"""CI tries failed tests once more, and does not keep to itself which ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving import PROJECT

TESTS = """
import pathlib
def test_steady(): pass
def test_late(): assert pathlib.Path("second").exists()
def test_broken(): assert False
"""
PYTEST = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "test_it.py"]
OWN = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}


@pytest.fixture
def failed(tmp_path: Path) -> Path:
    """A folder in which two of three tests have just failed; one of them would pass now."""
    (tmp_path / "test_it.py").write_text(TESTS)
    assert run(PYTEST, tmp_path).returncode == 1
    (tmp_path / "second").touch()
    return tmp_path


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    own = OWN | {"PYTHON": sys.executable}
    return subprocess.run(command, cwd=folder, env=own, capture_output=True, text=True, check=False, timeout=60)


def test_what_passed_only_when_it_was_tried_again_is_named(failed: Path) -> None:
    again = run([str(PROJECT / ".ci/retry"), *PYTEST, "--last-failed"], failed)
    assert again.returncode == 1
    assert "1 failed, 1 passed" in again.stdout
    said = run([str(PROJECT / ".ci/retried")], failed).stdout.splitlines()
    assert said[0].startswith("-- Tried again and passed")
    assert said[1:] == ["--   test_it.py::test_late"]


def test_nothing_is_said_when_nothing_was_tried_again(tmp_path: Path) -> None:
    assert run([str(PROJECT / ".ci/retried")], tmp_path).stdout == ""
