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
from scale_app.cli.client import require_database, server_here
from scale_app.cli.terminal import WholeNumber, json_option, output, plain, print_json, server_option, table
from scale_app.codec import to_wire
from scale_app.domain.errors import NoDatabase
from scale_app.domain.identity import LOCAL_USER
from scale_app.domain.record import MEGABYTE
from scale_app.log_lines import harmless
from scale_app.settings import load_settings
from scale_app.views import format as shown
from scale_app.views.words import STATES, VERDICTS
from scale_app.wiring import back_up, history, restored

SHORTEST_ID = 8
LESS_NEEDED = ("By", "State", "Score", "Baseline", "Started")
"""What a narrow list leaves out first; `--json` and a pipe have it all."""
GAP, LEAST_TARGET = 2, 12


@click.command()
@click.option("--limit", type=WholeNumber(1, 500), default=20, show_default=True, help="The most runs to list.")
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
    if server := server or server_here():
        from scale_app.cli.remote_client import RemoteClient  # late: the list of this process needs no HTTP

        async with aclosing(RemoteClient(server)) as remote:
            return await remote.runs(limit)
    try:
        require_database()
    except NoDatabase as nowhere:
        click.echo(nowhere, err=True)
        return []
    async with history(load_settings().database_url) as store:
        return [summary_of(run) for run in await store.runs(limit, 0)]


def _print_runs(found: list[RunSummary]) -> None:
    console = output()
    columns = _columns(found)
    if console.is_terminal:
        columns["Run"] = shortened(columns["Run"])
        columns = {name: texts for name, texts in columns.items() if set(texts) - {"", LOCAL_USER.name}}
        columns = fitting(columns, console.width)
    rows = table(*columns)
    for column in rows.columns[:-1]:
        column.no_wrap = True
    for texts in zip(*columns.values(), strict=True):
        rows.add_row(*map(plain, texts))
    console.print(rows if found else "No runs yet.")
    for unreadable in filter(None, (each.unreadable for each in found)):
        click.echo(harmless(unreadable), err=True)


def _columns(found: list[RunSummary]) -> dict[str, list[str]]:
    return {
        "Run": [each.run_id for each in found],
        "Started": [shown.moment(each.created_at_epoch_s) for each in found],
        "By": [each.started_by for each in found],
        "State": [STATES[each.state] for each in found],
        "Verdict": [VERDICTS[each.verdict] if each.verdict else shown.NONE for each in found],
        "Score": [shown.score(each.score) for each in found],
        "Baseline": [each.baseline for each in found],
        "Target": [each.target_url for each in found],
    }


def fitting(columns: dict[str, list[str]], width: int) -> dict[str, list[str]]:
    """Those that a terminal of this width has space for, so that what it shows is whole; the target alone may wrap."""
    for name in LESS_NEEDED:
        others = (each for each in columns if each != "Target")
        if sum(max(map(len, (each, *columns[each]))) + GAP for each in others) + LEAST_TARGET <= width:
            break
        columns = {each: texts for each, texts in columns.items() if each != name}
    return columns


def shortened(ids: list[str]) -> list[str]:
    """As much of each as tells them all apart, at least SHORTEST_ID characters."""
    lengths = range(SHORTEST_ID, max(map(len, ids), default=0))
    enough = next((n for n in lengths if len({each[:n] for each in ids}) == len(set(ids))), None)
    return [each[:enough] for each in ids]


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
