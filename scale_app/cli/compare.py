"""`scale compare`: one run against another."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.table import Table

from scale_app.cli.client import opened
from scale_app.cli.exits import Exit, sentence_and_exit
from scale_app.cli.options import json_option, server_option
from scale_app.cli.run_files import is_file, run_of_file
from scale_app.cli.terminal import output, plain, print_json
from scale_app.codec import to_wire
from scale_app.domain.compare import Change, Comparison, compare
from scale_app.domain.recording import WholeRun
from scale_app.views.comparing import compare_view


@click.command("compare")
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@server_option
@json_option
def compare_runs(first: str, second: str, server: str | None, as_json: bool) -> None:
    """Hold the SECOND run against the FIRST, each an id or a file that `scale export` wrote as JSON.

    Exit code 0: better, or no more than chance; 1: worse; 2: they cannot be compared.
    """
    with sentence_and_exit():
        one, two, compared = asyncio.run(_compared(server, first, second))
        if as_json:
            print_json({**to_wire(compared), "comparable": compared.comparable})
        else:
            _print_comparison(one, two, compared)
        sys.exit(
            Exit.UNDECIDED
            if not compared.comparable
            else Exit.UNEVEN
            if compared.changed is Change.WORSE
            else Exit.EVEN
        )


async def _compared(server: str | None, first: str, second: str) -> tuple[WholeRun, WholeRun, Comparison]:
    from_files = {name: run_of_file(name) for name in (first, second) if is_file(name)}
    if len(from_files) == len({first, second}):
        one, two = from_files[first], from_files[second]
        return one, two, compare(one.record, two.record)
    async with opened(server) as client:
        one = from_files.get(first) or await client.whole(first)
        two = from_files.get(second) or await client.whole(second)
        if from_files:
            return one, two, compare(one.record, two.record)
        return one, two, await client.compare(first, second)


def _print_comparison(first: WholeRun, second: WholeRun, compared: Comparison) -> None:
    view = compare_view(first.record, [(second.record, compared)])
    console = output()
    for line in (view.sentence, view.conclusion, *view.remarks):
        if line:
            console.print(plain(line))
    for title, rows in (("Pod", view.pods), ("Latency", view.latency), ("Plan", view.plan)):
        table = Table(box=None, padding=(0, 2, 0, 0))
        for name in (title, "First", "Second"):
            table.add_column(name)
        for row in rows:
            table.add_row(plain(row.name), *[plain(cell.text) for cell in row.cells])
        if rows:
            console.print(table)
