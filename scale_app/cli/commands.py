"""The table of contents of the `scale` command: one module a command, joined here."""

from __future__ import annotations

import click

from scale_app.cli.build import build
from scale_app.cli.exits import Scale
from scale_app.cli.serve import serve
from scale_app.cli.worker import worker


@click.group(cls=Scale)
def main() -> None:
    """Do the pods behind this Kubernetes service share the work evenly?"""


for command in (build, serve, worker):
    main.add_command(command)
