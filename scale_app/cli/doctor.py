"""`scale doctor`: is everything in order, and if not, what to do? No load is sent, one request at most."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.table import Table

from scale_app.cli import checks
from scale_app.cli.checks import Row
from scale_app.cli.client import opened
from scale_app.cli.exits import Exit, sentence_and_exit
from scale_app.cli.options import json_option, server_option
from scale_app.cli.terminal import output, plain, print_json
from scale_app.codec import to_wire
from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.settings import load_settings

STYLES = {"ok": "green", "problem": "bold red", "note": "yellow"}


@click.command()
@server_option
@click.option("--target", metavar="URL", default="demo", show_default=True, help="The target that is to be reachable.")
@click.option("--pod-header", metavar="NAME", default=LoadPlan().pod_header, show_default=True, help="Names the pod.")
@json_option
def doctor(server: str | None, target: str, pod_header: str, as_json: bool) -> None:
    """Check this installation, or with --server a running one as seen from here through its proxies.

    Exit code 0: everything is in order; 3: something has to be put right, and its row says how.
    """
    with sentence_and_exit():
        plan = LoadPlan(target, pod_header=pod_header)
        if server and target != "demo":
            raise PlanError("--target", target, "a target is checked from where load is sent: leave --server out there")
        rows = asyncio.run(_of_server(server.rstrip("/")) if server else _of_here(plan))
        print_json([to_wire(row) for row in rows]) if as_json else _print(rows)
        sys.exit(Exit.FAILED if any(row.status == "problem" for row in rows) else Exit.EVEN)


async def _of_here(plan: LoadPlan) -> list[Row]:
    from scale_app import wiring  # brings every adapter along, which a look at a server has no use for

    settings = load_settings()
    rows = [checks.page_row(), await checks.port_row(settings), checks.local_ports_row(settings)]
    try:
        async with opened(None) as client:
            rows.append(Row("database", "ok", "The database can be read and written."))
            hub = wiring.hub()
            rows.append(checks.history_row(settings.retention, await hub.count(), await hub.size_bytes()))
            rows.append(await checks.target_row(plan, hub.admitted))
            rows.extend(checks.source_rows(await client.permissions()))
    except ScaleError as error:
        remedy = "If that is your server, ask it: scale doctor --server URL." if "Another Scale" in str(error) else ""
        rows.append(Row("database", "problem", str(error), remedy))
    return rows


async def _of_server(url: str) -> list[Row]:
    if unknown := checks.names_row(url):
        return [unknown]
    server = await checks.answer_row(url, "/healthz", "server")
    if server.status == "problem":
        return [server]
    rows = [
        server,
        await checks.answer_row(url, "/readyz", "database"),
        await checks.socket_row(url, "/_event/", "WebSocket of the page", speaks_first=True),
        await checks.socket_row(url, "/ws/metrics", "WebSocket of the API", speaks_first=False),
    ]
    async with opened(url) as client:
        try:
            rows.extend(checks.source_rows(await client.permissions()))
        except ScaleError as error:
            rows.append(Row("sources", "problem", str(error)))
    return rows


def _print(rows: list[Row]) -> None:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for row in rows:
        said = f"{row.found} {row.remedy}".strip()
        table.add_row(plain(row.status, STYLES[row.status]), plain(row.name), plain(said))
    output().print(table)
