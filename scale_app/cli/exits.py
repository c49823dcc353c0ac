"""How a command ends: one sentence for people, and an exit code that a pipeline can act on.

The codes are the same for every command.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Literal, NoReturn

import click

from scale_app.cli import CUT_OFF
from scale_app.domain import errors


class Exit(IntEnum):
    """How a command ended; MEANINGS says it for people."""

    EVEN = 0
    UNEVEN = 1
    UNDECIDED = 2
    FAILED = 3
    WRONG_USE = 64


MEANINGS = {
    Exit.EVEN: "even, and every threshold was reached; or done as asked",
    Exit.UNEVEN: "uneven, or a threshold of the plan was missed; a run that is worse than the other",
    Exit.UNDECIDED: "undecided: more connections would decide; two runs that cannot be compared",
    Exit.FAILED: "no data, or the run failed; or something outside has to be put right first",
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
    errors.RunNotActive,
    errors.RunStillActive,
    errors.BadRunFile,
    errors.BackupRefused,
    ServerRefused,
)
"""Errors that say the same each time until the command is put right."""


FailOn = Literal["uneven", "undecided", "threshold", "warning"]
FAIL_ON: tuple[FailOn, ...] = ("uneven", "undecided", "threshold", "warning")
DEFAULT_FAIL_ON: tuple[FailOn, ...] = ("uneven", "undecided", "threshold")


class CannotStart(errors.ScaleError):
    """Something outside this program has to be put right first."""


def usage_sentence(error: click.ClickException) -> str:
    """What was wrong with the command line, and where to read what is right."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "scale"
    return f"{message}: see `{path} --help`."


@contextlib.contextmanager
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


@contextlib.contextmanager
def first_and_second_signal(first: Callable[[], object], second: Callable[[], object]) -> Iterator[None]:
    """At the first SIGINT or SIGTERM inside call `first`, at each later one `second`."""
    loop, calls = asyncio.get_running_loop(), iter((first,))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: next(calls, second)())
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def code_of(error: errors.ScaleError) -> Exit:
    """The code of a command that an error ended."""
    return Exit.WRONG_USE if isinstance(error, REFUSED) else Exit.FAILED


def end(sentence: str, code: Exit) -> NoReturn:
    """Say it on stderr and end."""
    click.echo(sentence, err=True)
    sys.exit(code)
