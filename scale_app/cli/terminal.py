"""What commands have in common: flags, files that they read, and output as one JSON document or as text."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scale_app.cli.commands import print_no_more, told_while_read
from scale_app.domain.errors import PlanError
from scale_app.log_lines import harmless

UNBROKEN_COLUMNS = 10_000

Command = TypeVar("Command", bound=Callable[..., Any])

server_option = click.option(
    "--server", metavar="URL", envvar="SCALE_SERVER",
    help="Ask this running server. Without it: the one of this machine that has the database in SCALE_DATABASE_URL, or "
    "the database itself.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, for programs.")


class Number(click.types.FloatParamType):
    """A number, called so."""

    name = "number"


class WholeNumber(click.IntRange):
    """A whole number within limits, said so that people read it."""

    name = "whole number"

    def __init__(self, least: int, most: int | None = None) -> None:
        super().__init__(least, most)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = int(str(value)) if _is_whole(value) else None
        if number is None or number < (self.min or 0) or (self.max is not None and number > self.max):
            within = f"at least {self.min:,}" if self.max is None else f"from {self.min:,} to {self.max:,}"
            self.fail(f"{value!r} is not a whole number {within}.", param, ctx)
        return number


def _is_whole(value: object) -> bool:
    return str(value).strip().lstrip("+-").isdecimal()


def print_json(document: object) -> None:
    """A document for programs, on stdout, alone there."""
    with told_while_read():
        click.echo(json.dumps(document, allow_nan=False))


def plain(text: str, style: str = "") -> Text:
    """Text that a terminal only shows: names come from answers and files, and may hold what moves its cursor."""
    return Text(harmless(text), style)


class Output(Console):
    """Stdout, whose reader may go: a command's exit code stays what it is."""

    def on_broken_pipe(self) -> None:
        print_no_more()


def output() -> Console:
    """Stdout: as wide as the terminal; into a file or a pipe no line is broken and nothing is cut."""
    console = Output(highlight=False)
    return console if console.is_terminal else Output(highlight=False, width=UNBROKEN_COLUMNS)


def table(*names: str) -> Table:
    """Columns without lines between them; without names they have no heads."""
    made = Table(box=None, show_header=bool(names), padding=(0, 2, 0, 0))
    for name in names:
        made.add_column(name)
    return made


def read_file(name: str, what: str) -> bytes:
    """What is in a file; "-" for standard input. what: it should be, for the error. Raises PlanError."""
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PlanError(what, os.fspath(name), f"it cannot be read ({reason})") from None
