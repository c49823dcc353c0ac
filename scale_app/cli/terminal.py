"""What every command prints with: one JSON document, or text that a terminal only shows."""

from __future__ import annotations

import json
import re

import click
from rich.console import Console
from rich.text import Text

LOG_COLUMNS = 120
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def print_json(document: object) -> None:
    """A document for programs, on stdout, alone there."""
    click.echo(json.dumps(document, allow_nan=False))


def plain(text: str, style: str = "") -> Text:
    """Text that a terminal only shows: names come from answers and files, and may hold what moves its cursor."""
    return Text(CONTROL.sub("\ufffd", text), style)


def output() -> Console:
    """Stdout: as wide as the terminal, or as a log's line."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=LOG_COLUMNS)
