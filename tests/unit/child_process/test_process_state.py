"""What the system says of a process, and what is made of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from scale_app.child_process import process_state


def proc_with(folder: Path, state: str) -> Path:
    (folder / "self").mkdir()
    (folder / "4711").mkdir()
    (folder / "4711" / "stat").write_text(f"4711 (a name (with) brackets) {state} 1 4711 4711 0")
    return folder


@pytest.mark.parametrize(
    ("letter", "state"),
    [("R", "runs"), ("S", "sleeps"), ("D", "sleeps"), ("T", "stopped"), ("t", "stopped"), ("Z", "ended")],
)
def test_each_state_has_its_meaning(tmp_path: Path, letter: str, state: str) -> None:
    assert process_state(4711, proc_with(tmp_path, letter)) == state


def test_a_process_that_is_not_there_has_ended(tmp_path: Path) -> None:
    assert process_state(4712, proc_with(tmp_path, "S")) == "ended"


def test_a_system_that_lists_no_processes_tells_nothing(tmp_path: Path) -> None:
    assert process_state(os.getpid(), tmp_path) == "unknown"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="this system lists no processes")
def test_this_process_runs() -> None:
    assert process_state(os.getpid()) == "runs"
