"""What a command loads before it does anything: libraries that it does not use cost seconds and megabytes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

NAMES = "import sys, json; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"


def loaded_by(code: str) -> set[str]:
    """The packages that are loaded in a fresh process after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{NAMES}"], capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_statistics_are_loaded_when_something_is_judged() -> None:
    assert "scipy" not in loaded_by("import scale_app.domain.run, scale_app.domain.compare")
    assert "scipy" in loaded_by("from scale_app.domain.verdict import judge; judge([30, 90], None, 1.0)")


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["nonsense"]])
def test_a_command_that_computes_nothing_loads_no_library_for_it(arguments: list[str]) -> None:
    run = f"from scale_app.cli import main\ntry:\n main({arguments})\nexcept SystemExit:\n pass"
    found = loaded_by(run)
    assert not found & {"numpy", "scipy", "pydantic", "sqlalchemy", "reflex", "granian", "alembic", "rich", "jinja2"}


def test_who_has_no_cluster_no_receivers_and_no_postgresql_loads_nothing_of_them() -> None:
    found = loaded_by("from scale_app import wiring; wiring.hub()")
    assert "sqlalchemy" in found
    assert not found & {"scipy", "alembic", "asyncpg", "kubernetes", "aiohttp", "apprise", "reflex", "jinja2"}
