"""`scale export`: a run as a file, written as it is read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

import click

from scale_app.cli.client import opened
from scale_app.cli.exits import CannotStart, sentence_and_exit
from scale_app.cli.options import json_option, server_option
from scale_app.cli.reporting import check_place
from scale_app.cli.terminal import print_json
from scale_app.files import replaceable, taking_the_place_of
from scale_app.reports import FORMATS
from scale_app.reports.formats import FormatName


@click.command("export")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="Of the file."
)
@click.option("--output", "-o", metavar="FILE", help='Where to write it, "-" for stdout; in this folder unless given.')
@server_option
@json_option
def export_run(run_id: str, form: str, output: str | None, server: str | None, as_json: bool) -> None:
    """Write a run as a file: json (everything, for `scale replay`), csv, seconds, junit, markdown or html."""
    with sentence_and_exit():
        name = FORMATS[form].name
        if output == "-":
            asyncio.run(_write(server, run_id, name, sys.stdout.buffer))
            return
        path = Path(output or f"scale-{run_id[:8].replace('/', '-')}.{FORMATS[form].ending}")
        check_place(path, "--output", str(path))
        with _whole_file(path) as file:
            size = asyncio.run(_write(server, run_id, name, file))
        print_json({"file": str(path), "bytes": size}) if as_json else click.echo(f"Wrote {path}.")


async def _write(server: str | None, run_id: str, name: FormatName, file: BinaryIO) -> int:
    """Bytes that were written."""
    size = 0
    async with opened(server) as client, aclosing(client.file(run_id, name)) as pieces:
        async for piece in pieces:
            size += file.write(piece)
        if unreadable := (await client.run(run_id)).unreadable:
            click.echo(unreadable, err=True)
    return size


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there in whole once the block has ended; when it fails, what was there before is.

    What is no file, and what a link such as /dev/stdout leads to, is written into and not replaced. Raises CannotStart.
    """
    place = taking_the_place_of(path) if replaceable(path) else nullcontext(path)
    try:
        with place as written, written.open("wb") as file:
            yield file
    except OSError as error:
        raise CannotStart(f"{path} cannot be written ({error.strerror or error}): choose another file.") from None
