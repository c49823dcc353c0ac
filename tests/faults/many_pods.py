"""Very many pods behind one address, as a layer-4 balancer shows them: each connection is answered by one of them."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass


@dataclass
class ManyPods:
    """answered: requests that were answered so far, by all of them."""

    url: str = ""
    answered: int = 0


@contextmanager
def many_pods(count: int) -> Iterator[ManyPods]:
    """So many pods on a free port of the loopback, in a thread, until the block ends."""
    target, ready = ManyPods(), threading.Event()
    loop = asyncio.new_event_loop()
    ended = asyncio.Event()

    def live() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(_serve(target, count, ready, ended))
        loop.close()

    thread = threading.Thread(target=live)
    thread.start()
    ready.wait(10)
    try:
        yield target
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()


async def _serve(target: ManyPods, count: int, ready: threading.Event, ended: asyncio.Event) -> None:
    chance = random.Random(1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        name = f"a-pod-with-a-name-as-long-as-those-of-deployments-7d4b9c6f5-{chance.randrange(count):05d}"
        head = f"HTTP/1.1 200 OK\r\nX-Pod-Name: {name}\r\nContent-Length: 2\r\n\r\nok".encode()
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(head)
                await writer.drain()
                target.answered += 1
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    target.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    ready.set()
    await ended.wait()
    server.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
