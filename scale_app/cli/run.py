"""`scale run`: one load test, its verdict in the terminal and in the exit code."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from scale_app.cli.client import Client, opened
from scale_app.cli.exits import sentence_and_exit
from scale_app.cli.options import (
    fail_on_of,
    fail_on_option,
    json_option,
    server_option,
)
from scale_app.cli.planning import plan_of, plan_options
from scale_app.cli.reporting import needs, report_option, wanted_reports, write_reports
from scale_app.cli.showing import print_run, progress, run_document
from scale_app.cli.terminal import print_json
from scale_app.cli.verdict_exit import verdict_exit
from scale_app.domain.errors import ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import check_name
from scale_app.domain.recording import WholeRun

CUT_OFF = "The command was ended before the run was judged, so there is no verdict."


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
        plan, chosen, wanted = (
            plan_of(plan_file, settings, headers, **flags),
            fail_on_of(fail_on),
            wanted_reports(reports),
        )
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
        with progress(quiet) as shown, _stop_by_signal(client, run_id):
            async for record in client.watch(run_id):
                shown.show(record)
        whole = await client.whole(run_id, **needs(wanted))
        write_reports(whole, wanted)
        if baseline is not None and verdict_exit(whole) == 0:
            await client.mark_baseline(run_id, baseline)
        return whole


@contextlib.contextmanager
def _stop_by_signal(client: Client, run_id: str) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the load in order, a second one ends the command."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    stops: list[asyncio.Task[None]] = []

    async def stop() -> None:
        with contextlib.suppress(ScaleError):  # it has ended by itself meanwhile
            await client.stop(run_id)

    def signalled() -> None:
        if stops:
            task.cancel()
        else:
            stops.append(loop.create_task(stop()))

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
