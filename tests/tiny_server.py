"""A server inside a test, on loopback, that leaves no connection behind when the test ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(handle: Handler) -> AsyncIterator[int]:
    """Give each connection to `handle`, and close it when that returns or the client goes; gives the port.

    A connection that is left to the garbage collector would warn, much later, in the middle of another test.
    """
    at_work: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        at_work[task] = writer
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handle(reader, writer)
        writer.close()
        del at_work[task]

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task, writer in list(at_work.items()):
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*at_work, return_exceptions=True)
        await asyncio.sleep(0.01)
