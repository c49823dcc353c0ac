"""`scale replay`: a recorded run, judged again by today's rules."""

from __future__ import annotations

import asyncio
import sys

import click

from scale_app.cli.client import opened
from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.options import fail_on_of, fail_on_option, json_option, server_option
from scale_app.cli.reporting import report_option, wanted_reports, write_reports
from scale_app.cli.run_files import is_file, run_of_file
from scale_app.cli.showing import print_run, run_document
from scale_app.cli.terminal import print_json
from scale_app.cli.verdict_exit import verdict_exit
from scale_app.domain.recording import WholeRun, replayed
from scale_app.views import format as shown


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
        kept = run_of_file(run_or_file) if is_file(run_or_file) else asyncio.run(_recorded(server, run_or_file))
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


async def _recorded(server: str | None, run_id: str) -> WholeRun:
    async with opened(server) as client:
        return await client.whole(run_id, recording=True)
