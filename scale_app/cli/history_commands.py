"""The history: `scale runs` lists it; `scale backup` and `scale restore` write it into one file, and back."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path

import click

from scale_app.api.v1.shapes import RunSummary, summary_of
from scale_app.cli.terminal import json_option, output, plain, print_json, server_option, table
from scale_app.codec import to_wire
from scale_app.domain.record import MEGABYTE
from scale_app.log_lines import harmless
from scale_app.settings import load_settings
from scale_app.views import format as shown
from scale_app.views.words import STATES, VERDICTS
from scale_app.wiring import back_up, history, restored


@click.command()
@click.option("--limit", type=click.IntRange(1, 500), default=20, show_default=True, help="The most runs to list.")
@server_option
@json_option
def runs(limit: int, server: str | None, as_json: bool) -> None:
    """List runs, newest first."""
    found = asyncio.run(_runs(server, limit))
    if as_json:
        print_json([to_wire(summary) for summary in found])
    else:
        _print_runs(found)


async def _runs(server: str | None, limit: int) -> list[RunSummary]:
    if server:
        from scale_app.cli.remote_client import RemoteClient  # late: the list of this process needs no HTTP

        async with aclosing(RemoteClient(server)) as remote:
            return await remote.runs(limit)
    async with history(load_settings().database_url) as store:
        return [summary_of(run) for run in await store.runs(limit, 0)]


def _print_runs(found: list[RunSummary]) -> None:
    rows = table("Run", "Started", "By", "State", "Verdict", "Score", "Baseline", "Target")
    for column in rows.columns[:-1]:
        column.no_wrap = True
    for each in found:
        begun, verdict = shown.moment(each.created_at_epoch_s), VERDICTS[each.verdict] if each.verdict else shown.NONE
        state, score = STATES[each.state], shown.score(each.score)
        told = (each.run_id, begun, each.started_by, state, verdict, score, each.baseline, each.target_url)
        rows.add_row(*map(plain, told))
    output().print(rows if found else "No runs yet.")
    for unreadable in filter(None, (each.unreadable for each in found)):
        click.echo(harmless(unreadable), err=True)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@json_option
def backup(file: str, force: bool, as_json: bool) -> None:
    """Write every run, baseline and saved plan into FILE, "-" for stdout, also while a server runs.

    The database is that of SCALE_DATABASE_URL. FILE has the same form for every kind of database: a backup of SQLite
    can be restored into PostgreSQL, and the other way round.
    """
    if file == "-":
        _to_stdout()
        return
    size = asyncio.run(back_up(load_settings().database_url, Path(file), force))
    told = f"Wrote {file}, {size / MEGABYTE:,.1f} MB."
    print_json({"file": file, "bytes": size}) if as_json else click.echo(told)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace what the database holds.")
@json_option
def restore(file: str, force: bool, as_json: bool) -> None:
    """Replace the content of the database in SCALE_DATABASE_URL with FILE, which `scale backup` wrote.

    The server that uses the database must be stopped. Without --force a database that holds runs is not changed.
    """
    what = asyncio.run(restored(load_settings().database_url, Path(file), force)) or "nothing"
    print_json({"file": file, "restored": what}) if as_json else click.echo(f"Restored {what} from {file}.")


def _to_stdout() -> None:
    with tempfile.TemporaryDirectory(prefix="scale-backup-") as folder:
        made = Path(folder) / "backup.db"
        asyncio.run(back_up(load_settings().database_url, made))
        with made.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)
