"""Flags that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from scale_app.cli.exits import DEFAULT_FAIL_ON, FAIL_ON
from scale_app.domain.errors import PlanError

Command = TypeVar("Command", bound=Callable[..., Any])

server_option = click.option(
    "--server", metavar="URL", envvar="SCALE_SERVER",
    help="Ask this running server; without it the command works by itself, with the database of SCALE_DATABASE_URL.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, for programs.")

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
