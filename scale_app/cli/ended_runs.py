"""Runs that have ended: `scale compare` holds one against another, `export` writes one into a file, `replay` judges it
again by today's rules."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import aclosing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from scale_app.cli import run_output
from scale_app.cli.client import LocalClient, opened, whole_id
from scale_app.cli.commands import Exit
from scale_app.cli.run import fail_on_option, verdict_exit
from scale_app.cli.terminal import json_option, output, plain, print_json, read_file, server_option, table
from scale_app.codec import to_wire
from scale_app.domain.compare import Change, Comparison, compare
from scale_app.domain.passing import fail_on_of
from scale_app.domain.recording import WholeRun, replayed
from scale_app.files import replaceable, taking_the_place_of
from scale_app.log_lines import harmless
from scale_app.reports import FORMATS
from scale_app.reports.formats import FormatName, file_name, run_from_json
from scale_app.views import format as shown
from scale_app.views.comparing import compare_view

if TYPE_CHECKING:
    from scale_app.cli.remote_client import RemoteClient


@click.command("compare")
@click.argument("first", metavar="FIRST")
@click.argument("second", metavar="SECOND")
@server_option
@json_option
def compare_runs(first: str, second: str, server: str | None, as_json: bool) -> None:
    """Compare the SECOND run with the FIRST; each is an id or a file that `scale export` wrote as JSON.

    Exit code 0: better, or no more than chance; 1: worse; 2: they cannot be compared.
    """
    one, two, compared = asyncio.run(_compared(server, first, second))
    if as_json:
        print_json({**to_wire(compared), "comparable": compared.comparable})
    else:
        _print_comparison(one, two, compared)
    if not compared.comparable:
        sys.exit(Exit.UNDECIDED)
    sys.exit(Exit.UNEVEN if compared.changed is Change.WORSE else Exit.EVEN)


async def _compared(server: str | None, first: str, second: str) -> tuple[WholeRun, WholeRun, Comparison]:
    from_files = {name: run_of_file(name) for name in (first, second) if is_file(name)}
    if len(from_files) == len({first, second}):
        one, two = from_files[first], from_files[second]
        return one, two, compare(one.record, two.record)
    async with opened(server, reads_only=True) as client:
        one = from_files.get(first) or await client.whole(await whole_id(client, first))
        two = from_files.get(second) or await client.whole(await whole_id(client, second))
        if from_files:
            return one, two, compare(one.record, two.record)
        return one, two, await client.compare(one.record.run_id, two.record.run_id)


def _print_comparison(first: WholeRun, second: WholeRun, compared: Comparison) -> None:
    view = compare_view(first.record, [(second.record, compared)])
    console = output()
    for line in (view.sentence, view.conclusion, *view.remarks):
        if line:
            console.print(plain(line))
    for title, rows in (("Pod", view.pods), ("Latency", view.latency), ("Plan", view.plan)):
        shown = table(title, "First", "Second")
        for row in rows:
            shown.add_row(plain(row.name), *[plain(cell.text) for cell in row.cells])
        if rows:
            console.print(shown)


@click.command("export")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--format", "form", type=click.Choice(list(FORMATS)), default="json", show_default=True, help="File format."
)
@click.option("--output", "-o", metavar="FILE", help='File to write, "-" for stdout. Default: a file in this folder.')
@server_option
@json_option
def export_run(run_id: str, form: str, output: str | None, server: str | None, as_json: bool) -> None:
    """Write a run as a file: json (everything, for `scale replay`), csv, seconds, junit, markdown or html."""
    name = FORMATS[form].name
    if output and output != "-":
        run_output.check_place(Path(output), "--output", output)
    path, size = asyncio.run(_exported(server, run_id, name, output))
    if path:
        print_json({"file": str(path), "bytes": size}) if as_json else click.echo(f"Wrote {path}.")


async def _exported(server: str | None, begins: str, name: FormatName, output: str | None) -> tuple[Path | None, int]:
    """The file, None for stdout, and the bytes that were written. begins: the run's id, or its beginning."""
    async with opened(server, reads_only=True) as client:
        run_id = await whole_id(client, begins)
        if output == "-":
            return None, await _write(client, run_id, name, sys.stdout.buffer)
        path = Path(output or file_name(run_id, name))
        run_output.check_place(path, "--output", str(path))
        with _whole_file(path) as file:
            return path, await _write(client, run_id, name, file)


async def _write(client: LocalClient | RemoteClient, run_id: str, name: FormatName, file: BinaryIO) -> int:
    """Bytes that were written."""
    size = 0
    async with aclosing(client.file(run_id, name)) as pieces:
        async for piece in pieces:
            size += file.write(piece)
    if unreadable := (await client.run(run_id)).unreadable:
        click.echo(harmless(unreadable), err=True)
    return size


@contextmanager
def _whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there in whole once the block has ended; when it fails, what was there before is.

    What is no file, and what a link such as /dev/stdout leads to, is written into and not replaced. Raises CannotStart.
    """
    place = taking_the_place_of(path) if replaceable(path) else nullcontext(path)
    with run_output.writing(path), place as written, written.open("wb") as file:
        yield file


def is_file(name: str) -> bool:
    """Does the name mean a file, rather than a run's id?"""
    return name == "-" or Path(name).is_file()


def run_of_file(name: str) -> WholeRun:
    """The run in an exported file; "-" for standard input. Raises PlanError, BadRunFile."""
    return run_from_json(read_file(name, "file"))


@click.command()
@click.argument("run_or_file", metavar="RUN|FILE")
@server_option
@fail_on_option
@run_output.report_option
@json_option
def replay(run_or_file: str, server: str | None, fail_on: str, reports: tuple[str, ...], as_json: bool) -> None:
    """Judge a recorded run again with today's rules, from a file that `scale export` wrote as JSON, or by its id.

    The figures come from the recorded samples alone. Exit codes are those of `scale run`.
    """
    chosen, wanted = fail_on_of(fail_on), run_output.wanted_reports(reports, as_json)
    kept = run_of_file(run_or_file) if is_file(run_or_file) else asyncio.run(_recorded(server, run_or_file))
    again = replayed(kept)
    run_output.write_reports(again, wanted)
    code = verdict_exit(again, chosen)
    same = again.record.last == kept.record.last
    if as_json:
        print_json({**run_output.run_document(again, code), "same_as_recorded": same})
    elif not run_output.prints_report(wanted):
        run_output.print_run(again)
        click.echo("Same result with today's rules." if same else harmless(_then(kept)))
    sys.exit(code)


def _then(kept: WholeRun) -> str:
    last = kept.record.last
    if last is None:
        return "Before: no verdict."
    return f"Before: score {shown.score(last.balance.score)}. {last.verdict.sentence}"


async def _recorded(server: str | None, run_id: str) -> WholeRun:
    async with opened(server, reads_only=True) as client:
        return await client.whole(await whole_id(client, run_id), recording=True)
