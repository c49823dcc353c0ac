"""Before a run: a plan from a file, from flags in place of its fields, or from both; the schema of plan files; targets.

`LoadPlan` checks a plan, as everywhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import click

from scale_app.cli.client import opened
from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.terminal import json_option, output, plain, print_json, read_file, server_option, table
from scale_app.codec import plan_from_wire, to_wire
from scale_app.codec.plan_text import plan_from_text, value_from_text
from scale_app.codec.schema import plan_schema
from scale_app.domain.cluster import TargetList
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.plan_fields import PLAN_FIELDS

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGS = {field.word: field for field in PLAN_FIELDS if field.help}
"""Flag: the plan's field. `--set FIELD=VALUE` reaches every other one."""


def plan_options(command: Command) -> Command:
    """The argument and the flags that `plan_of` reads."""
    for flag, field in reversed(FLAGS.items()):
        command = click.option(f"--{flag}", metavar="VALUE", help=field.help)(command)
    command = click.option(
        "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Header of each request; may be repeated."
    )(command)
    command = click.option(
        "--set", "settings", multiple=True, metavar="FIELD=VALUE",
        help="Any field of the plan, as in a file: pattern.kind=ramp, gate.score.fail=0.95.",
    )(command)  # fmt: skip
    return click.argument("plan_file", metavar="[PLAN]", required=False)(command)


def plan_of(
    plan_file: str | None, settings: tuple[str, ...], headers: tuple[str, ...], **flags: str | None
) -> LoadPlan:
    """The file's plan with the flags in place of its fields. Raises PlanError."""
    plan = read_plan(plan_file) if plan_file else LoadPlan()
    document: dict[str, Any] = to_wire(plan)
    for flag, field in FLAGS.items():
        if (text := flags.get(flag.replace("-", "_"))) is not None:
            is_text = isinstance(attrgetter(field.name)(plan), str)
            _put(document, field.name, text if is_text else value_from_text(text))
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon:
            raise PlanError("--header", line, "a header is NAME:VALUE")
        document["headers"][name.strip()] = value.strip()
    for line in settings:
        name, equals, text = line.partition("=")
        if not equals:
            raise PlanError("--set", line, "a field is set by FIELD=VALUE")
        _put(document, name.strip(), value_from_text(text))
    return plan_from_wire(LoadPlan, document)


def read_plan(name: str) -> LoadPlan:
    """The plan in a file; "-" for standard input. Raises PlanError."""
    return plan_from_text(read_file(name, "plan file"))


def _put(document: dict[str, Any], field: str, value: object) -> None:
    *way, last = field.split(".")
    inside = document
    for name in way:
        inner = inside.setdefault(name, {})
        if not isinstance(inner, dict):
            raise PlanError(field, value, "there is no such field")
        inside = inner
    inside[last] = value


@click.command()
@server_option
@json_option
def targets(server: str | None, as_json: bool) -> None:
    """List what the configured clusters offer to load."""
    with sentence_and_exit():
        found = asyncio.run(_targets(server))
        print_json(to_wire(found)) if as_json else _print_targets(found)


async def _targets(server: str | None) -> TargetList:
    async with opened(server) as client:
        return await client.targets()


def _print_targets(found: TargetList) -> None:
    console = output()
    rows = table("Kind", "Name", "Service", "Pods", "URL")
    for each in found.targets:
        ready = f"{each.ready} ready of {each.pods}"
        rows.add_row(*map(plain, (each.kind, each.name, str(each.service), ready, each.problem or each.url)))
    console.print(rows if found.targets else "No targets.")
    if found.problem:
        click.echo(found.problem, err=True)


@click.command()
def schema() -> None:
    """Print the JSON schema of plan files, for editors and checkers."""
    print_json(plan_schema())
