"""What a command loads before it does anything: libraries that it does not use cost seconds and megabytes."""

from __future__ import annotations

import json
import subprocess
import sys

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
