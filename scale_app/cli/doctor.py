"""`scale doctor`: is everything in order, and if not, what to do? It changes nothing, and sends one request at most."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from scale_app.cli.client import looked_at_here, opened
from scale_app.cli.commands import Exit
from scale_app.cli.doctor_checks import (
    Row,
    answer_row,
    callers_row,
    database_row,
    history_row,
    local_ports_row,
    missing_row,
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
from scale_app.domain.errors import PlanError, ScaleError, SettingsError, StoreUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.identity_settings import load_identity
from scale_app.secret_settings import load_secrets, own_names
from scale_app.settings import Settings, load_settings

if TYPE_CHECKING:
    from scale_app.service.hub import Hub

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
    rows += await redis_rows(wiring.redis_warnings) if settings.redis_url else []
    try:
        async with looked_at_here() as hub:
            rows += await _database_rows(settings, hub)
            rows.append(await target_row(plan, hub.admitted))
            rows.extend(source_rows(await hub.permissions()))
    except ScaleError as error:
        name = "database" if isinstance(error, StoreUnavailable) else "settings"
        rows += [] if str(error) in (row.found for row in rows) else [Row(name, "problem", str(error))]
    return rows


async def _database_rows(settings: Settings, hub: Hub) -> list[Row]:
    """The database as it is, whoever uses it: to look at it neither makes nor changes anything."""
    from scale_app import wiring

    url = settings.database_url
    if missing := wiring.missing_file(url):
        return [missing_row(missing)]
    server = wiring.server_beside(url)
    try:
        current = await wiring.is_current(url, writes=not server)
        row = database_row(await answer_row(server, "/readyz", "database") if server else None, server, current)
        if not current:
            return [row]
        return [row, history_row(settings.retention, await hub.count(), await hub.size_bytes())]
    except StoreUnavailable as error:
        return [Row("database", "problem", str(error))]


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
