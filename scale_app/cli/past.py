"""Runs that were: list them, write one as a file, hold one against another, judge one again."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import click
from rich.table import Table

from scale_app.api.v1.shapes import RunSummary
from scale_app.cli.exits import Exit, sentence_and_exit, verdict_exit
from scale_app.cli.house import opened
from scale_app.cli.options import (
    fail_on_of,
    fail_on_option,
    json_option,
    needs,
    report_option,
    server_option,
    wanted_reports,
    write_file,
    write_reports,
)
from scale_app.cli.showing import output, plain, print_json, print_run, run_document
from scale_app.codec import to_wire
from scale_app.domain.compare import Change, Comparison, compare
from scale_app.domain.errors import PlanError
from scale_app.domain.recording import WholeRun, replayed
from scale_app.reports import FORMATS, export, run_from_json
from scale_app.views import format as shown
from scale_app.views.comparing import compare_view
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
    async with opened(server) as house:
        return await house.runs(limit)


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
    from_files = {name: run_of_file(name) for name in (first, second) if _is_file(name)}
    if len(from_files) == len({first, second}):
        one, two = from_files[first], from_files[second]
        return one, two, compare(one.record, two.record)
    async with opened(server) as house:
        one = from_files.get(first) or await house.whole(first)
        two = from_files.get(second) or await house.whole(second)
        if from_files:
            return one, two, compare(one.record, two.record)
        return one, two, await house.compare(first, second)


def _is_file(name: str) -> bool:
    return name == "-" or Path(name).is_file()


def run_of_file(name: str) -> WholeRun:
    """The run in an exported file; "-" for standard input. Raises PlanError, BadRunFile."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PlanError("file", name, f"it cannot be read ({reason})") from None
    return run_from_json(content)


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


@click.command()
@click.argument("run_or_file", metavar="RUN|FILE")
@server_option
@fail_on_option
@report_option
@json_option
def replay(run_or_file: str, server: str | None, fail_on: str, reports: tuple[str, ...], as_json: bool) -> None:
    """Judge a recorded run again by today's rules, from a file that `scale export` wrote as JSON, or by its id.

    The figures come from the recorded samples alone. Exit codes are those of `scale run`.
    """
    with sentence_and_exit():
        chosen, wanted = fail_on_of(fail_on), wanted_reports(reports)
        kept = (
            run_of_file(run_or_file)
            if _is_file(run_or_file)
            else asyncio.run(_whole(server, run_or_file, recording=True))
        )
        again = replayed(kept)
        write_reports(again, wanted)
        code = verdict_exit(again, chosen)
        same = again.record.last == kept.record.last
        if as_json:
            print_json({**run_document(again, code), "same_as_recorded": same})
        else:
            print_run(again)
            click.echo("Today's figures are those of then." if same else _then(kept))
        sys.exit(code)


def _then(kept: WholeRun) -> str:
    last = kept.record.last
    if last is None:
        return "Nothing was said of the run then."
    return f"Then: score {shown.score(last.balance.score)}. {last.verdict.sentence}"
