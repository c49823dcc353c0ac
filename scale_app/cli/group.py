"""The command that holds the others: loads the one that is asked for, and ends wrong use with one sentence."""

from __future__ import annotations

import sys
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from scale_app.cli.exits import Exit, end, usage_sentence
from scale_app.cli.loading import loading


@dataclass(frozen=True, slots=True)
class Later:
    """A command that is not loaded yet. where: "module:name" below scale_app.cli. about: what it does, in a line."""

    where: str
    about: str

    def load(self) -> click.Command:
        """The command itself."""
        module, _, name = self.where.partition(":")
        with loading():
            command = getattr(import_module(f"scale_app.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


class Table(UserDict[str, click.Command]):
    """The commands by name, each loaded when it is asked for, since each needs libraries of its own."""

    def __init__(self, later: Mapping[str, Later]) -> None:
        super().__init__()
        self.later = later
        self.data = dict(later)  # type: ignore[arg-type]

    def __getitem__(self, name: str) -> click.Command:
        return self.later[name].load()


class Scale(click.Group):
    """A group of commands that are loaded late. A usage error is one sentence and exit code 64; click's own are three
    lines and 2."""

    def __init__(self, about: str, later: Mapping[str, Later]) -> None:
        super().__init__("scale", Table(later), help=about)
        self._later = later

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._later[name].about) for name in self.list_commands(ctx)])

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
