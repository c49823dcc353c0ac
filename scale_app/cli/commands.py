"""The table of contents of the `scale` command: one module a command, joined here."""

from __future__ import annotations

import click

from scale_app.cli.about import schema, targets
from scale_app.cli.build import build
from scale_app.cli.doctor import doctor
from scale_app.cli.exits import Scale
from scale_app.cli.past import compare_runs, export_run, replay, runs
from scale_app.cli.run import run
from scale_app.cli.serve import serve
from scale_app.cli.worker import worker


@click.group(cls=Scale)
def main() -> None:
    """Do the pods behind this Kubernetes service share the work evenly?"""


for command in (serve, run, runs, compare_runs, export_run, replay, targets, doctor, schema, worker, build):
    main.add_command(command)
