"""How a command ends: one sentence for people, and an exit code that a pipeline can act on.

The codes are the same for every command. `EVEN` also means: done as asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from enum import IntEnum
from typing import Any, NoReturn

import click

from scale_app.domain.errors import ScaleError, SettingsError


class Exit(IntEnum):
    """EVEN: even, or done as asked. FAILED: no data, or something outside has to be put right first.

    WRONG_USE: a flag, a file, a plan or a setting that is not accepted; nothing was started.
    """

    EVEN = 0
    UNEVEN = 1
    UNDECIDED = 2
    FAILED = 3
    WRONG_USE = 64


class CannotStart(ScaleError):
    """Something outside this program has to be put right first."""


class Scale(click.Group):
    """A group whose usage errors are one sentence and exit code 64; click's own are three lines and 2."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message())
            sys.exit(Exit.WRONG_USE)
        except click.ClickException as error:
            _end(usage_sentence(error), Exit.WRONG_USE)
        except click.Abort:
            sys.exit(Exit.FAILED)


def usage_sentence(error: click.ClickException) -> str:
    """What was wrong with the command line, and where to read what is right."""
    message = " ".join(error.format_message().split()).rstrip(".")
    context = error.ctx if isinstance(error, click.UsageError) else None
    path = context.command_path if context else "scale"
    return f"{message}: see `{path} --help`."


@contextlib.contextmanager
def sentence_and_exit() -> Iterator[None]:
    """Every error meant for people becomes its sentence on stderr and an exit code; Ctrl-C ends with 0."""
    try:
        yield
    except SettingsError as error:
        _end(str(error), Exit.WRONG_USE)
    except ScaleError as error:
        _end(str(error), Exit.FAILED)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(Exit.EVEN)


def _end(sentence: str, code: Exit) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(code)
