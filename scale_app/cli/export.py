"""`scale export`: a run as a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click

from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.house import opened
from scale_app.cli.options import json_option, server_option
from scale_app.cli.reporting import needs, wanted_reports, write_file
from scale_app.cli.terminal import print_json
from scale_app.domain.recording import WholeRun
from scale_app.reports import FORMATS, export


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
        wanted = wanted_reports((f"{form}={output}",)) if output not in (None, "-") else [(form, Path())]
        made = export(asyncio.run(_whole(server, run_id, **needs(wanted))), FORMATS[form].name)
        if output == "-":
            sys.stdout.buffer.write(made.content)
            return
        path = Path(output or made.name)
        write_file(path, made.content)
        print_json({"file": str(path), "bytes": len(made.content)}) if as_json else click.echo(f"Wrote {path}.")


async def _whole(server: str | None, run_id: str, recording: bool, pods: bool = False) -> WholeRun:
    async with opened(server) as house:
        return await house.whole(run_id, recording, pods)
