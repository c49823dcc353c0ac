"""What can be asked before a run: which targets there are, what a plan file may say, whether everything is in order."""

from __future__ import annotations

import asyncio

import click
from rich.table import Table

from scale_app.cli.client import opened
from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.options import json_option, server_option
from scale_app.cli.terminal import output, plain, print_json
from scale_app.codec import to_wire
from scale_app.codec.schema import plan_schema
from scale_app.domain.cluster import TargetList


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
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("Kind", "Name", "Service", "Pods", "URL"):
        table.add_column(name)
    for each in found.targets:
        ready = f"{each.ready} ready of {each.pods}"
        table.add_row(*map(plain, (each.kind, each.name, str(each.service), ready, each.problem or each.url)))
    console.print(table if found.targets else "No targets.")
    if found.problem:
        click.echo(found.problem, err=True)


@click.command()
def schema() -> None:
    """Print the JSON schema of plan files, for editors and checkers."""
    print_json(plan_schema())
