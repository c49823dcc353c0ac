"""Where no real cluster can be had, its tests are skipped in plain sight."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cluster import __main__ as command
from tests.serving import PROJECT

END_OF_CI = [PROJECT / ".ci" / "notices"]


@pytest.fixture
def notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the reason is kept, as on a machine without root's rights."""
    file = tmp_path / "build" / "cluster-tests-skipped"
    monkeypatch.setattr(command, "SKIP_NOTICE", file)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "environ", os.environ.copy())
    return file


def test_the_reason_is_told_at_once_and_again_at_the_end_of_ci(
    notice: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert command.main(["test"]) == 0
    told = capsys.readouterr().err
    assert "THE TESTS ON A REAL CLUSTER WERE SKIPPED. Namespaces, mounts and control groups need root" in told
    again = subprocess.run(END_OF_CI, cwd=tmp_path, capture_output=True, text=True)
    assert (again.returncode, again.stdout) == (0, told)


def test_nothing_is_told_where_they_ran(tmp_path: Path) -> None:
    silent = subprocess.run(END_OF_CI, cwd=tmp_path, capture_output=True, text=True)
    assert (silent.returncode, silent.stdout) == (0, "")
