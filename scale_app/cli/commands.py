"""The `scale` command: loads what is asked for, and ends it: one sentence for people, an exit code for pipelines.

The codes are the same for every command.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections import UserDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

import click

from scale_app.cli import CUT_OFF
from scale_app.domain import errors
from scale_app.log_lines import harmless


@contextmanager
def loading() -> Iterator[None]:
    """What is imported inside stays for the life of the process, so that it is never looked at for garbage.

    Looking at it costs a tenth of the time that loading takes; and a server whose collector walks through all that its
    libraries brought stands still for 50 ms, again and again.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class Later(NamedTuple):
    """A command that is not loaded yet. where: "module:name" below scale_app.cli. about: what it does, in a line."""

    where: str
    about: str


class LateCommands(UserDict[str, click.Command]):
    """The commands by name, each loaded when it is asked for, since each needs libraries of its own."""

    def __getitem__(self, name: str) -> click.Command:
        module, _, attribute = COMMANDS[name].where.partition(":")
        with loading():
            command = getattr(import_module(f"scale_app.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


class Scale(click.Group):
    """A group of commands that are loaded late. A usage error is one sentence and exit code 64; click's own are three
    lines and 2. Every other error meant for people is one sentence, too."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].about) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        with sentence_and_exit(), told_while_read():
            return super().invoke(ctx)

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(Exit.WRONG_USE)
        except click.ClickException as error:
            end(usage_sentence(error), Exit.WRONG_USE)
        except click.Abort:
            raise KeyboardInterrupt from None


COMMANDS = {
    "audit": Later("access_commands:audit", "List who did what, newest first."),
    "backup": Later("history_commands:backup", "Write every run, baseline and saved plan into a file."),
    "build": Later("build:build", "Build the page if its sources have changed."),
    "completion": Later("completion:completion", "Complete commands with Tab in your shell."),
    "compare": Later("ended_runs:compare_runs", "Compare the SECOND run with the FIRST; each is an id or a file."),
    "doctor": Later("doctor:doctor", "Check this installation, or with --server a running one as seen from here."),
    "export": Later("ended_runs:export_run", "Write a run as a file."),
    "replay": Later("ended_runs:replay", "Judge a recorded run again with today's rules."),
    "restore": Later("history_commands:restore", "Replace the database's content with a backup."),
    "run": Later("run:run", "Run one load test and judge it."),
    "runs": Later("history_commands:runs", "List runs, newest first."),
    "schema": Later("run:schema", "Print the JSON schema of plan files, for editors and checkers."),
    "serve": Later("server:serve", "Serve page, API and WebSocket on SCALE_HOST:SCALE_PORT (127.0.0.1:8000)."),
    "targets": Later("run:targets", "List the targets in the configured clusters."),
    "tokens": Later("access_commands:tokens", "List, make and revoke tokens, by which programs are known to a server."),
    "worker": Later("server:worker", "Send load for runs of another machine, until SIGTERM or Ctrl-C."),
}
scale = click.version_option(package_name="scale", message="scale %(version)s")(
    Scale(
        "scale",
        LateCommands(dict.fromkeys(COMMANDS, click.Command(None))),  # in place of those that are not loaded
        help="Do the pods behind this Kubernetes service share the work evenly?",
    )
)


class Exit(IntEnum):
    """How a command ended; MEANINGS says it for people."""

    EVEN = 0
    UNEVEN = 1
    UNDECIDED = 2
    FAILED = 3
    WRONG_USE = 64


MEANINGS = {
    Exit.EVEN: "even, and every threshold was met; or success",
    Exit.UNEVEN: "uneven, or a threshold of the plan was missed; a run that is worse than the other",
    Exit.UNDECIDED: "undecided: more connections would decide; two runs that cannot be compared",
    Exit.FAILED: "no data, or the run failed; or something outside Scale must be fixed first",
    Exit.WRONG_USE: "a flag, file, id, plan or setting that is not accepted; nothing was started",
}


class ServerRefused(errors.ScaleError):
    """A server answered that it will not; the sentence is the server's own."""


REFUSED: tuple[type[errors.ScaleError], ...] = (
    errors.SettingsError,
    errors.PlanError,
    errors.TargetRefused,
    errors.RunNotFound,
    errors.BaselineNotFound,
    errors.PlanNotFound,
    errors.TokenNotFound,
    errors.RunNotActive,
    errors.RunStillActive,
    errors.BadRunFile,
    errors.BackupRefused,
    ServerRefused,
)
"""Errors that say the same each time until the command is put right."""


class CannotStart(errors.ScaleError):
    """Something outside this program has to be put right first."""


def usage_sentence(error: click.ClickException) -> str:
    """What was wrong with the command line, and where to read what is right."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "scale"
    return f"{message}: see `{path} --help`."


@contextmanager
def sentence_and_exit(cut_off: str = CUT_OFF) -> Iterator[None]:
    """Every error meant for people becomes its sentence on stderr and an exit code.

    cut_off: what Ctrl-C left undone, a sentence; "" where it is how the command is meant to end, with 0.
    """
    try:
        yield
    except errors.ScaleError as error:
        end(str(error), code_of(error))
    except (KeyboardInterrupt, asyncio.CancelledError):
        if cut_off:
            end(cut_off, Exit.FAILED)
        sys.exit(Exit.EVEN)


@contextmanager
def told_while_read() -> Iterator[None]:
    """A reader of stdout that has seen enough, as `head` has, ends what is printed and no more: no traceback."""
    try:
        yield
    except BrokenPipeError:
        print_no_more()


def print_no_more() -> None:
    """Nothing reads stdout any more. Python would say so once more when it ends, at the end of the command."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def first_and_second_signal(
    first: Callable[[], object], second: Callable[[], object]
) -> Iterator[Callable[[], object]]:
    """At the first SIGINT or SIGTERM inside call `first`, at each later one `second`; gives what each of them calls."""
    loop, calls = asyncio.get_running_loop(), iter((first,))

    def signalled() -> object:
        return next(calls, second)()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, signalled)
    try:
        yield signalled
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def code_of(error: errors.ScaleError) -> Exit:
    """The code of a command that an error ended."""
    return Exit.WRONG_USE if isinstance(error, REFUSED) else Exit.FAILED


def end(sentence: str, code: Exit) -> NoReturn:
    """Say it on stderr and end."""
    click.echo(harmless(sentence), err=True)
    sys.exit(code)
