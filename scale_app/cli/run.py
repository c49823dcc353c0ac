"""`scale run`: one load test, of a plan file, of flags or of both; its verdict in the terminal and in the exit code.

And what helps to write a plan: `scale targets`, `scale schema`. `LoadPlan` checks a plan, as everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

import click

from scale_app.cli import run_output
from scale_app.cli.client import opened
from scale_app.cli.commands import Exit, first_and_second_signal, sentence_and_exit
from scale_app.cli.terminal import json_option, output, plain, print_json, read_file, server_option, table
from scale_app.codec import plan_from_wire, plan_schema, to_wire
from scale_app.codec.plan_text import plan_from_text, value_from_text
from scale_app.domain.cluster import TargetList
from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.passing import DEFAULT_FAIL_ON, FAIL_ON, NEVER, Passing, fail_on_of, passing
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import check_name
from scale_app.domain.recording import WholeRun
from scale_app.domain.weights import each_once
from scale_app.log_lines import harmless
from scale_app.views.plan_fields import PLAN_FIELDS

CUT_OFF = "The command was ended before the run was judged, so there is no verdict."
NOT_MARKED = "The run was not set as the baseline {name}: only a run with exit code 0 is."

EXITS = {
    Passing.PASSED: Exit.EVEN,
    Passing.MISSED: Exit.UNEVEN,
    Passing.UNDECIDED: Exit.UNDECIDED,
    Passing.UNPROVEN: Exit.FAILED,
}

WITHOUT_FILE = LoadPlan(until="decided", duration_s=180.0)
"""It ends with a verdict: that of the demo takes 45 s where little else runs, and longer on a busy machine."""

Command = TypeVar("Command", bound=Callable[..., Any])

fail_on_option = click.option(
    "--fail-on", metavar="WHAT[,WHAT]", default=",".join(DEFAULT_FAIL_ON), show_default=True,
    help=f"What makes the exit code non-zero: {', '.join(FAIL_ON)}, or {NEVER}. No data and failure always do.",
)  # fmt: skip
FLAGS = {field.word: field for field in PLAN_FIELDS if field.help}
"""Flag: the plan's field. `--set FIELD=VALUE` reaches every other one."""


def plan_options(command: Command) -> Command:
    """The argument and the flags that `plan_of` reads."""
    for flag, field in reversed(FLAGS.items()):
        command = click.option(f"--{flag}", metavar="VALUE", help=field.help)(command)
    command = click.option(
        "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Header of each request; may be repeated."
    )(command)
    command = click.option(
        "--set", "settings", multiple=True, metavar="FIELD=VALUE",
        help="Any field of the plan, as in a file: pattern.kind=ramp, gate.score.fail=0.95.",
    )(command)  # fmt: skip
    return click.argument("plan_file", metavar="[PLAN]", required=False)(command)


@click.command()
@plan_options
@server_option
@fail_on_option
@run_output.report_option
@click.option("--mark-baseline", metavar="NAME", help="Set the run as the baseline of this name if it passes.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
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

    Without a file it ends when decided, after --duration (180 s) at the latest.

    The exit code is the verdict: 0 even, 1 uneven or a threshold missed, 2 undecided, 3 no data or failed,
    64 wrong use. Ctrl-C stops the load and judges what was measured; a second one ends at once, with 3.
    """
    with sentence_and_exit(CUT_OFF):
        plan = plan_of(plan_file, settings, headers, **flags)
        chosen, wanted = fail_on_of(fail_on), run_output.wanted_reports(reports, as_json)
        if mark_baseline is not None:
            check_name(mark_baseline)
        whole = asyncio.run(_run(server, plan, wanted, quiet, mark_baseline))
        code = verdict_exit(whole, chosen)
        if as_json:
            print_json(run_output.run_document(whole, code))
        elif not run_output.prints_report(wanted):
            run_output.print_run(whole)
        sys.exit(code)


async def _run(
    server: str | None, plan: LoadPlan, wanted: list[tuple[str, Path]], quiet: bool, baseline: str | None
) -> WholeRun:
    async with opened(server) as client:
        run_id = await client.start(plan)
        with run_output.progress(quiet) as show, _stop_by_signal(lambda: client.stop(run_id)):
            async for record, events in client.watch(run_id):
                show(record, events)
        whole = await client.whole(run_id, **run_output.needs(wanted))
        run_output.write_reports(whole, wanted)
        if baseline is not None and verdict_exit(whole) == 0:
            await client.mark_baseline(run_id, baseline)
        elif baseline is not None:
            click.echo(NOT_MARKED.format(name=baseline), err=True)
        return whole


@contextlib.contextmanager
def _stop_by_signal(stop: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the load in order, a second one ends the command."""
    task = asyncio.current_task()
    assert task is not None
    stops: list[asyncio.Task[None]] = []

    async def stopped() -> None:
        with contextlib.suppress(ScaleError):  # it has ended by itself meanwhile
            await stop()

    with first_and_second_signal(lambda: stops.append(asyncio.create_task(stopped())), task.cancel):
        yield


def verdict_exit(whole: WholeRun, fail_on: Collection[str] = DEFAULT_FAIL_ON) -> Exit:
    """The code of a run that has ended."""
    return EXITS[passing(whole.record, whole.gate, fail_on)]


def plan_of(
    plan_file: str | None, settings: tuple[str, ...], headers: tuple[str, ...], **flags: str | None
) -> LoadPlan:
    """The file's plan with the flags in place of its fields. Raises PlanError."""
    plan = plan_from_text(read_file(plan_file, "plan file")) if plan_file else WITHOUT_FILE
    document: dict[str, Any] = to_wire(plan)
    for flag, field in FLAGS.items():
        if (text := flags.get(flag.replace("-", "_"))) is not None:
            _put(document, field.name, _value(flag, text, attrgetter(field.name)(plan)))
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon:
            raise PlanError("--header", line, "a header is NAME:VALUE")
        document["headers"][name.strip()] = value.strip()
    for line in settings:
        name, equals, text = line.partition("=")
        if not equals or not name.strip():
            raise PlanError("--set", line, "a field is set by FIELD=VALUE")
        _put(document, name.strip(), value_from_text(text))
    try:
        return plan_from_wire(LoadPlan, document)
    except PlanError as error:
        given = {field.name: flag for flag, field in FLAGS.items() if flags.get(flag.replace("-", "_")) is not None}
        raise error.called(f"--{given[error.field]}") if error.field in given else error from None


def _value(flag: str, text: str, now: object) -> object:
    """now: what the field has."""
    if isinstance(now, str):
        return text
    if not isinstance(now, Mapping):
        return value_from_text(text)
    pairs = [part.rpartition("=") for part in text.split(",") if part.strip() not in ("", "null")]
    if not all(equals for _, equals, _ in pairs):
        raise PlanError(f"--{flag}", text, "NAME=NUMBER, several with commas between")
    each_once(name.strip() for name, _, _ in pairs)
    return {name.strip(): value_from_text(number) for name, _, number in pairs}


def _put(document: dict[str, Any], field: str, value: object) -> None:
    *way, last = field.split(".")
    inside = document
    for name in way:
        inner = inside.setdefault(name, {})
        if not isinstance(inner, dict):
            raise PlanError(field, value, "there is no such field")
        inside = inner
    inside[last] = value


@click.command()
@server_option
@json_option
def targets(server: str | None, as_json: bool) -> None:
    """List the targets in the configured clusters."""
    found = asyncio.run(_targets(server))
    print_json(to_wire(found)) if as_json else _print_targets(found)


async def _targets(server: str | None) -> TargetList:
    async with opened(server) as client:
        return await client.targets()


def _print_targets(found: TargetList) -> None:
    console = output()
    rows = table("Kind", "Name", "Service", "Pods", "URL")
    for each in found.targets:
        ready = f"{each.ready} ready of {each.pods}"
        rows.add_row(*map(plain, (each.kind, each.name, str(each.service), ready, each.problem or each.url)))
    console.print(rows if found.targets else "No targets.")
    if found.problem:
        click.echo(harmless(found.problem), err=True)


@click.command()
def schema() -> None:
    """Print the JSON schema of plan files, for editors and checkers."""
    print_json(plan_schema())
