"""`scale run`: one load test, its verdict in the terminal and in the exit code. `scale replay`: a run judged again."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import click

from scale_app.cli.client import Runs, opened
from scale_app.cli.ended_runs import is_file, run_of_file
from scale_app.cli.exits import DEFAULT_FAIL_ON, Exit, first_and_second_signal, sentence_and_exit
from scale_app.cli.planning import plan_of, plan_options
from scale_app.cli.run_output import (
    needs,
    print_run,
    progress,
    report_option,
    run_document,
    wanted_reports,
    write_reports,
)
from scale_app.cli.terminal import (
    fail_on_of,
    fail_on_option,
    json_option,
    print_json,
    server_option,
)
from scale_app.domain.errors import ScaleError
from scale_app.domain.gating import Outcome
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import check_name
from scale_app.domain.recording import WholeRun, replayed
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.views import format as shown

CUT_OFF = "The command was ended before the run was judged, so there is no verdict."
NOT_MARKED = "The run is not marked as the baseline {name}: only one whose exit code would be 0 is."


@click.command()
@plan_options
@server_option
@fail_on_option
@report_option
@click.option("--mark-baseline", metavar="NAME", help="Keep the run as the baseline of this name if it passes.")
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def run(
    server: str | None,
    fail_on: str,
    reports: tuple[str, ...],
    mark_baseline: str | None,
    quiet: bool,
    as_json: bool,
    plan_file: str | None,
    settings: tuple[str, ...],
    headers: tuple[str, ...],
    **flags: str | None,
) -> None:
    """Run one load test: of a PLAN file (YAML or JSON; "-" for standard input), of flags, or of both.

    The exit code tells the verdict: 0 even, 1 uneven or a threshold missed, 2 undecided, 3 no data or failed,
    64 wrong use. Ctrl-C stops the load and judges what was measured; a second one ends at once, with 3.
    """
    with sentence_and_exit(CUT_OFF):
        plan = plan_of(plan_file, settings, headers, **flags)
        chosen, wanted = fail_on_of(fail_on), wanted_reports(reports)
        if mark_baseline is not None:
            check_name(mark_baseline)
        whole = asyncio.run(_run(server, plan, wanted, quiet, mark_baseline))
        code = verdict_exit(whole, chosen)
        print_json(run_document(whole, code)) if as_json else print_run(whole)
        sys.exit(code)


async def _run(
    server: str | None, plan: LoadPlan, wanted: list[tuple[str, Path]], quiet: bool, baseline: str | None
) -> WholeRun:
    async with opened(server) as client:
        run_id = await client.start(plan)
        with progress(quiet) as show, _stop_by_signal(client, run_id):
            async for record in client.watch(run_id):
                show(record)
        whole = await client.whole(run_id, **needs(wanted))
        write_reports(whole, wanted)
        if baseline is not None and verdict_exit(whole) == 0:
            await client.mark_baseline(run_id, baseline)
        elif baseline is not None:
            click.echo(NOT_MARKED.format(name=baseline), err=True)
        return whole


@contextlib.contextmanager
def _stop_by_signal(client: Runs, run_id: str) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the load in order, a second one ends the command."""
    task = asyncio.current_task()
    assert task is not None
    stops: list[asyncio.Task[None]] = []

    async def stop() -> None:
        with contextlib.suppress(ScaleError):  # it has ended by itself meanwhile
            await client.stop(run_id)

    with first_and_second_signal(lambda: stops.append(asyncio.create_task(stop())), task.cancel):
        yield


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


def verdict_exit(whole: WholeRun, fail_on: Collection[str] = DEFAULT_FAIL_ON) -> Exit:
    """The code of a run that has ended. No data and failure cannot be chosen away: such a run proves nothing."""
    record = whole.record
    kind = record.last.verdict.kind if record.last else VerdictKind.NO_DATA
    if record.state in (RunState.FAILED, RunState.INTERRUPTED) or kind is VerdictKind.NO_DATA:
        return Exit.FAILED
    missed = any(check.outcome is Outcome.FAILED for check in whole.gate.checks if check.name != "verdict")
    warned = whole.gate.outcome is not Outcome.PASSED
    bad = {"uneven": kind is VerdictKind.UNEVEN, "threshold": missed, "warning": warned}
    if any(bad[name] for name in fail_on if name in bad):
        return Exit.UNEVEN
    if "undecided" in fail_on and kind is VerdictKind.UNDECIDED:
        return Exit.UNDECIDED
    return Exit.EVEN
