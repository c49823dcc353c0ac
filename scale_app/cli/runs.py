"""`scale runs`: the list of runs."""

from __future__ import annotations

import asyncio

import click
from rich.table import Table

from scale_app.api.v1.shapes import RunSummary, summary_of
from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.options import json_option, server_option
from scale_app.cli.terminal import output, plain, print_json
from scale_app.codec import to_wire
from scale_app.history import history
from scale_app.settings import load_settings
from scale_app.views import format as shown
from scale_app.views.words import STATES, VERDICTS


@click.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The most runs to list.")
@server_option
@json_option
def runs(limit: int, server: str | None, as_json: bool) -> None:
    """List runs, newest first."""
    with sentence_and_exit():
        found = asyncio.run(_runs(server, limit))
        if as_json:
            print_json([to_wire(summary) for summary in found])
        else:
            _print_runs(found)


async def _runs(server: str | None, limit: int) -> list[RunSummary]:
    if server:
        from scale_app.cli.remote_client import RemoteClient  # late: the list of this process needs no HTTP

        async with RemoteClient(server) as remote:
            return await remote.runs(limit)
    async with history(load_settings().database_url) as store:
        return [summary_of(run) for run in await store.runs(limit, 0)]


def _print_runs(found: list[RunSummary]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("Run", "Started", "State", "Verdict", "Score", "Baseline", "Target"):
        table.add_column(name, no_wrap=name != "Target")
    for each in found:
        verdict = VERDICTS[each.verdict] if each.verdict else shown.NONE
        cells = (
            each.run_id,
            shown.moment(each.created_at_epoch_s),
            STATES[each.state],
            verdict,
            shown.score(each.score),
        )
        table.add_row(*cells, each.baseline, plain(each.target_url))
    output().print(table if found else "No runs yet.")
    for unreadable in filter(None, (each.unreadable for each in found)):
        click.echo(plain(unreadable), err=True)
