"""The `scale` command: loads the one that is asked for, and ends wrong use with one sentence."""

from __future__ import annotations

import gc
import sys
from collections import UserDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from scale_app.cli.exits import Exit, end, usage_sentence


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


class LateCommands(UserDict[str, click.Command]):
    """The commands by name, each loaded when it is asked for, since each needs libraries of its own."""

    def __init__(self, later: Mapping[str, Later]) -> None:
        super().__init__()
        self.later = later
        self.data = dict.fromkeys(later, click.Command(None))  # in place of those that are not loaded

    def __getitem__(self, name: str) -> click.Command:
        return self.later[name].load()


class Scale(click.Group):
    """A group of commands that are loaded late. A usage error is one sentence and exit code 64; click's own are three
    lines and 2."""

    def __init__(self, about: str, later: Mapping[str, Later]) -> None:
        super().__init__("scale", LateCommands(later), help=about)
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


scale = Scale(
    "Do the pods behind this Kubernetes service share the work evenly?",
    {
        "backup": Later("history_commands:backup", "Write every run, baseline and saved plan into a file."),
        "build": Later("build:build", "Build the page, unless its sources are those of the last build."),
        "compare": Later("ended_runs:compare_runs", "Hold the SECOND run against the FIRST, each an id or a file."),
        "doctor": Later("doctor:doctor", "Check this installation, or with --server a running one as seen from here."),
        "export": Later("ended_runs:export_run", "Write a run as a file."),
        "replay": Later("run:replay", "Judge a recorded run again by today's rules."),
        "restore": Later("history_commands:restore", "Let the database hold what is in a backup."),
        "run": Later("run:run", "Run one load test and judge it."),
        "runs": Later("history_commands:runs", "List runs, newest first."),
        "schema": Later("planning:schema", "Print the JSON schema of plan files, for editors and checkers."),
        "serve": Later("serve:serve", "Serve page, API and WebSocket on SCALE_HOST:SCALE_PORT (127.0.0.1:8000)."),
        "targets": Later("planning:targets", "List what the configured clusters offer to load."),
        "worker": Later("worker:worker", "Send load for the runs of another machine, until SIGTERM or Ctrl-C."),
    },
)
