"""What a process loads before it does anything: libraries that it does not use cost seconds and megabytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NAMES = "import sys, json; print(json.dumps(sorted(sys.modules)))"
COMMAND = "from scale_app.cli import main\ntry:\n main({})\nexcept SystemExit:\n pass"
COMPUTING = {"numpy", "scipy"}
OF_SOME_SETTINGS = {"asyncpg", "kubernetes", "aiohttp", "apprise", "alembic", "redis"}
"""What only PostgreSQL, a cluster, receivers of alerts or an older database or several servers need."""
OF_THE_SERVER = {"reflex", "granian", "starlette", "scale_app.service", "scale_app.ui", "scale_app.worker"}
OF_REPORTS = {"jinja2", "junitparser", "scale_app.pictures"}


def loaded_by(code: str, folder: Path | None = None) -> set[str]:
    """The modules that are loaded in a fresh process after this code, each with the packages that it is in."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{NAMES}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, **({"SCALE_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/scale.db"} if folder else {})},
    )
    names = json.loads(done.stdout.splitlines()[-1])
    return {".".join(name.split(".")[: depth + 1]) for name in names for depth in range(name.count(".") + 1)}


def test_statistics_are_loaded_when_something_is_judged() -> None:
    assert "scipy" not in loaded_by("import scale_app.domain.run, scale_app.domain.compare")
    assert "scipy" in loaded_by("from scale_app.domain.verdict import judge; judge([30, 90], None, 1.0)")


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["nonsense"]])
def test_a_command_that_computes_nothing_loads_no_library_for_it(arguments: list[str]) -> None:
    found = loaded_by(COMMAND.format(arguments))
    heavy = {"pydantic", "sqlalchemy", "rich", "scale_app.domain.plan"}
    assert not found & (COMPUTING | OF_SOME_SETTINGS | OF_THE_SERVER | OF_REPORTS | heavy)


def test_the_list_of_runs_needs_the_database_alone(tmp_path: Path) -> None:
    loaded_by(COMMAND.format(["runs"]), tmp_path)  # makes the tables
    found = loaded_by(COMMAND.format(["runs"]), tmp_path)
    assert "scale_app.adapters.store" in found
    of_others = {"yaml", "httpx2", "scale_app.domain.run", "scale_app.adapters.locust_process"}
    assert not found & (COMPUTING | OF_SOME_SETTINGS | OF_THE_SERVER | OF_REPORTS | of_others)


def test_a_hub_loads_nothing_for_what_no_setting_asks_for() -> None:
    found = loaded_by("from scale_app import wiring; wiring.hub()")
    assert {"sqlalchemy", "scale_app.service"} <= found
    assert not found & (OF_SOME_SETTINGS | {"scipy", "reflex", "jinja2"})
