"""`scale worker`: this machine sends load for the runs of another one."""

from __future__ import annotations

import os
import re
import sys

import click

from scale_app.cli.exits import sentence_and_exit
from scale_app.domain.errors import SettingsError
from scale_app.settings import load_worker_listener


class HostPort(click.ParamType[tuple[str, int]]):
    """HOST:PORT, as (host, port)."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        found = re.fullmatch(r"(\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^\s:/@\[\]]+)):(?P<port>[0-9]{1,5})", str(value))
        if not found or not 1 <= int(found["port"]) <= 65_535:
            self.fail(f"{value!r} is not HOST:PORT, such as scale.example:5557", param, ctx)
        return found["six"] or found["name"], int(found["port"])


@click.command()
@click.option(
    "--master", type=HostPort(), required=True, help="Where the server's runs meet workers (SCALE_WORKER_LISTEN)."
)
@click.option(
    "--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="That send load side by side."
)
def worker(master: tuple[str, int], processes: int) -> None:
    """Send load for the runs of another machine, one after the other, until SIGTERM or Ctrl-C.

    Both sides must know the same secret, in SCALE_WORKER_SECRET or in the file that SCALE_WORKER_SECRET_FILE names,
    and run the same version. A run uses workers when its plan's `remote_workers` asks for them.
    """
    with sentence_and_exit(cut_off=""):
        if not load_worker_listener().secret:
            raise SettingsError(
                "SCALE_WORKER_SECRET is not set: give the secret of the server here, or in the file that "
                "SCALE_WORKER_SECRET_FILE names."
            )
        host, port = master
        arguments = [sys.executable, "-m", "scale_app.worker", "join", host, str(port), str(processes)]
        sys.stderr.flush()
        os.execv(sys.executable, arguments)
