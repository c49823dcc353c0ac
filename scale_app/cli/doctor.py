"""`scale doctor`: is everything in order, and if not, what to do? No load is sent, one request at most."""

from __future__ import annotations

import asyncio
import sys

import click

from scale_app.cli.client import opened
from scale_app.cli.commands import Exit
from scale_app.cli.doctor_checks import (
    Row,
    answer_row,
    callers_row,
    history_row,
    local_ports_row,
    names_row,
    page_row,
    port_row,
    redis_rows,
    secret_rows,
    socket_row,
    source_rows,
    target_row,
)
from scale_app.cli.terminal import json_option, output, plain, print_json, server_option, table
from scale_app.codec import to_wire
from scale_app.domain.errors import PlanError, ScaleError, SettingsError
from scale_app.domain.plan import LoadPlan
from scale_app.identity_settings import load_identity
from scale_app.secret_settings import load_secrets, own_names
from scale_app.settings import Settings, load_settings

STYLES = {"ok": "green", "problem": "bold red", "note": "yellow"}


@click.command()
@server_option
@click.option("--target", metavar="URL", default="demo", show_default=True, help="The target to reach.")
@click.option("--pod-header", metavar="NAME", default=LoadPlan().pod_header, show_default=True, help="Names the pod.")
@json_option
def doctor(server: str | None, target: str, pod_header: str, as_json: bool) -> None:
    """Check this installation, or with --server a running one as seen from here through its proxies.

    Exit code 0: everything is in order; 3: something must be fixed, and its row says how.
    """
    plan = LoadPlan(target, pod_header=pod_header)
    if server and target != "demo":
        raise PlanError("--target", target, "a target is checked where load is sent from: leave out --server there")
    rows = asyncio.run(_of_server(server.rstrip("/")) if server else _of_here(plan))
    print_json([to_wire(row) for row in rows]) if as_json else _print(rows)
    sys.exit(Exit.FAILED if any(row.status == "problem" for row in rows) else Exit.EVEN)


async def _of_here(plan: LoadPlan) -> list[Row]:
    from scale_app import wiring  # late: a look at a server has no use for the database

    settings = load_settings()
    rows = [page_row(), await port_row(settings), callers_row(load_identity(), settings.host)]
    rows += [local_ports_row(settings), *_secrets_of_here(settings)]
    shared = await redis_rows(wiring.redis_warnings) if settings.redis_url else []
    rows += shared
    if any(row.status == "problem" for row in shared):
        return rows
    try:
        async with opened(None, beside=False) as client:
            rows.append(Row("database", "ok", "The database can be read and written."))
            hub = wiring.hub()
            rows.append(history_row(settings.retention, await hub.count(), await hub.size_bytes()))
            rows.append(await target_row(plan, hub.admitted))
            rows.extend(source_rows(await client.permissions()))
    except ScaleError as error:
        if all(row.found != str(error) for row in rows):
            rows.append(Row("database", "problem", str(error)))
    return rows


def _secrets_of_here(settings: Settings) -> list[Row]:
    try:
        return secret_rows(load_secrets(installation=own_names(settings)))
    except SettingsError as error:
        return [Row("secret", "problem", str(error))]


async def _of_server(url: str) -> list[Row]:
    if unknown := names_row(url):
        return [unknown]
    server = await answer_row(url, "/healthz", "server")
    if server.status == "problem":
        return [server]
    rows = [
        server,
        await answer_row(url, "/readyz", "database"),
        await socket_row(url, "/_event/", "WebSocket of the page", speaks_first=True),
        await socket_row(url, "/ws/metrics", "WebSocket of the API", speaks_first=False),
    ]
    async with opened(url) as client:
        try:
            rows.extend(source_rows(await client.permissions()))
        except ScaleError as error:
            rows.append(Row("sources", "problem", str(error)))
    return rows


def _print(rows: list[Row]) -> None:
    lines = table()
    for row in rows:
        said = f"{row.found} {row.remedy}".strip()
        lines.add_row(plain(row.status, STYLES[row.status]), plain(row.name), plain(said))
    output().print(lines)
