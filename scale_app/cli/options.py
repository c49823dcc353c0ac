"""Flags that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from scale_app.cli.exits import DEFAULT_FAIL_ON, FAIL_ON, CannotStart
from scale_app.domain.errors import PlanError
from scale_app.domain.recording import WholeRun
from scale_app.reports import FORMATS, export

Command = TypeVar("Command", bound=Callable[..., Any])

server_option = click.option(
    "--server", metavar="URL", envvar="SCALE_SERVER",
    help="Ask this running server; without it the command works by itself, with the database of SCALE_DATABASE_URL.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, for programs.")
report_option = click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE",
    help=f"Write a report as well; may be repeated. Formats: {', '.join(FORMATS)}.",
)  # fmt: skip

NEVER = "never"
fail_on_option = click.option(
    "--fail-on", metavar="WHAT[,WHAT]", default=",".join(DEFAULT_FAIL_ON), show_default=True,
    help=f"What makes the exit code other than 0: {', '.join(FAIL_ON)}, or {NEVER}. No data and failure always do.",
)  # fmt: skip


def fail_on_of(text: str) -> frozenset[str]:
    """The parts of --fail-on. Raises PlanError."""
    parts = frozenset(part.strip() for part in text.split(","))
    if parts == {NEVER}:
        return frozenset()
    if not parts <= set(FAIL_ON):
        raise PlanError("--fail-on", text, f"one or more of {', '.join(FAIL_ON)} with commas between, or {NEVER}")
    return parts


def wanted_reports(reports: tuple[str, ...]) -> list[tuple[str, Path]]:
    """(format, file) of each --report. Raises PlanError before anything is started."""
    wanted = []
    for text in reports:
        name, equals, file = text.partition("=")
        if not equals or name not in FORMATS or not file:
            raise PlanError("--report", text, f"FORMAT=FILE with a format of {', '.join(FORMATS)}")
        path = Path(file)
        if path.is_dir() or not path.parent.is_dir():
            raise PlanError("--report", text, f"{path} cannot be written: its folder has to be there")
        wanted.append((name, path))
    return wanted


def needs(wanted: list[tuple[str, Path]]) -> dict[str, bool]:
    """What to ask `whole` for, that these can be written."""
    forms = [FORMATS[name] for name, _ in wanted]
    return {"recording": any(form.needs_recording for form in forms), "pods": any(form.needs_pods for form in forms)}


def write_reports(whole: WholeRun, wanted: list[tuple[str, Path]]) -> None:
    """Raises CannotStart when a file cannot be written."""
    for name, path in wanted:
        write_file(path, export(whole, FORMATS[name].name).content)


def write_file(path: Path, content: bytes) -> None:
    """Raises CannotStart."""
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CannotStart(f"{path} cannot be written ({error.strerror or error}): choose another file.") from None
