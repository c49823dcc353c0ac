"""Reports that a command writes beside what it prints: `--report FORMAT=FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from scale_app.cli.exits import CannotStart
from scale_app.domain.errors import PlanError
from scale_app.domain.recording import WholeRun
from scale_app.reports import FORMATS, export

report_option = click.option(
    "--report", "reports", multiple=True, metavar="FORMAT=FILE",
    help=f"Write a report as well; may be repeated. Formats: {', '.join(FORMATS)}.",
)  # fmt: skip


def wanted_reports(reports: tuple[str, ...]) -> list[tuple[str, Path]]:
    """(format, file) of each --report. Raises PlanError before anything is started."""
    wanted = []
    for text in reports:
        name, equals, file = text.partition("=")
        if not equals or name not in FORMATS or not file:
            raise PlanError("--report", text, f"FORMAT=FILE with a format of {', '.join(FORMATS)}")
        check_place(Path(file), "--report", text)
        wanted.append((name, Path(file)))
    return wanted


def check_place(path: Path, option: str, text: str) -> None:
    """Raises PlanError for a file that cannot be there."""
    if path.is_dir():
        raise PlanError(option, text, f"{path} is a folder, and a file is needed")
    if not path.parent.is_dir():
        raise PlanError(option, text, f"{path} cannot be written: its folder has to be there")


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
