"""Where a command's runs are: in this process, with its own database, or in a running server, reached by its API."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING

import click

from scale_app.cli.commands import loading
from scale_app.domain.errors import NoDatabase, PlanError, RunNotFound
from scale_app.domain.identity import CALLER, COMMAND_LINE
from scale_app.domain.record import RunFilter
from scale_app.settings import load_settings

if TYPE_CHECKING:
    from scale_app.cli.remote_client import RemoteClient
    from scale_app.domain.events import Event
    from scale_app.domain.record import RunRecord
    from scale_app.reports.formats import FormatName
    from scale_app.service.access import Access
    from scale_app.service.hub import Hub

    Seen = tuple[RunRecord, Sequence[Event]]
    """A run as it is, and what happened in it since the last time."""

STORED_WITHIN_S = 10.0
MOST_NAMED = 2


ASKED_INSTEAD = "The server at {url} has the database, so it is asked."


@asynccontextmanager
async def opened(server: str | None, reads_only: bool = False) -> AsyncIterator[LocalClient | RemoteClient]:
    """What a command asks; both answer alike, and raise what the hub's method of the same name raises.

    server: the URL of a running server; None for the one of this machine that has the database, or, where none has
    it, the hub of this process. reads_only: make no database.
    Raises SettingsError, StoreUnavailable, ServerRefused, ServerAway; NoDatabase where it reads only.
    """
    if server := server or server_here():
        async with _remote(server) as remote:
            yield remote
        return
    _begin_here(reads_only)
    from scale_app import wiring

    async with wiring.lifespan():
        yield LocalClient(wiring.hub())


@asynccontextmanager
async def looked_at_here() -> AsyncIterator[Hub]:
    """The hub of this process, unopened, to look at things beside whoever uses the database. Raises SettingsError."""
    _begin_here(reads_only=False)
    from scale_app import wiring

    async with wiring.unopened() as hub:
        yield hub


def _begin_here(reads_only: bool) -> None:
    """The command is answered by this process. Raises NoDatabase where it reads only and there is nothing to read."""
    if reads_only:
        require_database()
    with loading():
        import scale_app.wiring  # noqa: F401
    CALLER.set(COMMAND_LINE)


def server_here() -> str:
    """The URL of the running server that has this command's database, and says so on stderr; "" for none."""
    with loading():
        from scale_app import wiring

    url = wiring.server_beside(load_settings().database_url)
    if url:
        click.echo(ASKED_INSTEAD.format(url=url), err=True)
    return url


def require_database() -> None:
    """Raises NoDatabase."""
    from scale_app import wiring

    if missing := wiring.missing_file(load_settings().database_url):
        raise NoDatabase(missing)


async def whole_id(client: LocalClient | RemoteClient, text: str) -> str:
    """The id of the run whose id begins with the text. Raises RunNotFound, and PlanError where several do."""
    found = await client.ids(text, MOST_NAMED)
    if not text or not found:
        raise RunNotFound(text)
    return the_one("run", text, found)


def the_one(what: str, text: str, ids: Sequence[str]) -> str:
    """The id that was meant by its beginning. ids: all that begin so, or some. Raises PlanError where several do."""
    if len(ids) > 1 and text not in ids:
        named = " and ".join(ids[:MOST_NAMED])
        raise PlanError(what, text, f"several ids begin so, such as {named}: give more of the id")
    return text if text in ids else ids[0]


@asynccontextmanager
async def opened_access(server: str | None, reads_only: bool = True) -> AsyncIterator[Access | RemoteClient]:
    """The same for tokens and the audit log alone; these of this process's database also while a server uses it."""
    if server:
        async with _remote(server) as remote:
            yield remote
        return
    _begin_here(reads_only)
    from scale_app import wiring

    async with wiring.opened_access() as access:
        yield access


def _remote(server: str) -> aclosing[RemoteClient]:
    # As late as this: each way brings libraries along that the other has no use for.
    from scale_app.cli.remote_client import RemoteClient

    return aclosing(RemoteClient(server))


class LocalClient:
    """The runs of this process's hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.start, self.stop, self.run = hub.start, hub.stop, hub.run
        self.whole, self.compare = hub.whole, hub.compare
        self.targets, self.permissions = hub.targets, hub.permissions

    async def ids(self, begins: str, limit: int) -> list[str]:
        return [run.run_id for run in await self._hub.runs(limit, 0, RunFilter(id_begins=begins))]

    async def mark_baseline(self, run_id: str, name: str) -> None:
        # The run has ended a moment ago, and is stored behind what people see.
        with suppress(TimeoutError):
            async with asyncio.timeout(STORED_WITHIN_S):
                await self._hub.until_stored(run_id)
        await self._hub.mark_baseline(run_id, name)

    async def file(self, run_id: str, name: FormatName) -> AsyncGenerator[bytes, None]:
        """The run as a file, in pieces. Raises RunNotFound."""
        from scale_app.reports.formats import written  # late: only `export` needs what reports are written with

        async with aclosing(written(run_id, name, self._hub.whole, self._hub.recorded)) as pieces:
            async for piece in pieces:
                yield piece

    async def watch(self, run_id: str) -> AsyncIterator[Seen]:
        """The run as it is, again and again, until it has ended; the last one is how it ended, all of it stored."""
        async with self._hub.follow(run_id, after=-1) as followed:
            yield followed.record, ()
            async for numbered in followed.updates:
                yield await self._hub.run(run_id), (numbered.event,)
        yield await self._hub.run(run_id), ()
