"""`scale backup` and `scale restore`: the whole history as one file, and back."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

import click

from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.options import json_option
from scale_app.cli.terminal import print_json
from scale_app.history import back_up, restored
from scale_app.settings import load_settings

MEGABYTE = 1_000_000


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@json_option
def backup(file: str, force: bool, as_json: bool) -> None:
    """Write every run, baseline and saved plan into FILE, "-" for stdout, also while a server goes on.

    The database is that of SCALE_DATABASE_URL; FILE has one form for each kind of database, so that a backup of SQLite
    can be restored into PostgreSQL and the other way round.
    """
    with sentence_and_exit():
        if file == "-":
            _to_stdout()
            return
        size = asyncio.run(back_up(load_settings().database_url, Path(file), force))
        told = f"Wrote {file}, {size / MEGABYTE:,.1f} MB."
        print_json({"file": file, "bytes": size}) if as_json else click.echo(told)


@click.command()
@click.argument("file", metavar="FILE")
@click.option("--force", is_flag=True, help="Lose what the database holds.")
@json_option
def restore(file: str, force: bool, as_json: bool) -> None:
    """Let the database of SCALE_DATABASE_URL hold what is in FILE, which `scale backup` wrote.

    The server that uses the database must be stopped. A database that holds runs already is left as it is without
    --force.
    """
    with sentence_and_exit():
        what = asyncio.run(restored(load_settings().database_url, Path(file), force)) or "nothing"
        print_json({"file": file, "restored": what}) if as_json else click.echo(f"Restored {what} from {file}.")


def _to_stdout() -> None:
    with tempfile.TemporaryDirectory(prefix="scale-backup-") as folder:
        made = Path(folder) / "backup.db"
        asyncio.run(back_up(load_settings().database_url, made))
        with made.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)
