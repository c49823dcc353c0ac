"""Runs in files that `scale export` wrote as JSON."""

from __future__ import annotations

import sys
from pathlib import Path

from scale_app.domain.errors import PlanError
from scale_app.domain.recording import WholeRun
from scale_app.reports.run_json import run_from_json


def is_file(name: str) -> bool:
    """Does the name mean a file, rather than a run's id?"""
    return name == "-" or Path(name).is_file()


def run_of_file(name: str) -> WholeRun:
    """The run in an exported file; "-" for standard input. Raises PlanError, BadRunFile."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PlanError("file", name, f"it cannot be read ({reason})") from None
    return run_from_json(content)
