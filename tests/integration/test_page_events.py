"""What comes over the page's socket and is no event of a page: the log has a line for it, and the server goes on."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.serving import Served, build_page, served

EVENT = "42/_event,"
BAD = [
    f'{EVENT}["event",{{"name":"x"}}]',
    f'{EVENT}["event","no JSON\\n\\u001b[31mred"]',
    f'{EVENT}["event",{{"token":"t","name":"none\\nFORGED line","router_data":{{}},"payload":{{}}}}]',
    f'{EVENT}["event",{{"token":"t","name":"reflex___state____state.hydrate","router_data":5,"payload":7}}]',
    f'{EVENT}["event",{{"token":"t","name":"reflex___state____state.hydrate","router_data":{{}},"payload":{{"x":1}}}}]',
    f'{EVENT}["event"]', f'{EVENT}["event",null]', f'{EVENT}["event",[1,2]]', f'{EVENT}["nosuch",1]',
    f'{EVENT}["ping",{{"a":1}}]', f'{EVENT}{{"a":1}}', f"{EVENT}[", "42", "4", "43/_event,7[]", "40/nosuch,",
]  # fmt: skip
REFUSED = ["zz", "9", "", "b4AA", "²"]
LIMIT_S = 20.0


async def say(server: Served, messages: list[str], query: str = "token=abc%0AFORGED%1b[31m") -> None:
    """Connect as a page does, and send each; return when the server has read all or closed."""
    url = f"ws://127.0.0.1:{server.port}/_event/?EIO=4&transport=websocket&{query}"
    async with connect(url, user_agent_header="secret-agent") as page:
        await asyncio.wait_for(page.recv(), LIMIT_S)
        await page.send("40/_event,")
        await asyncio.wait_for(page.recv(), LIMIT_S)
        for message in [*messages, f'{EVENT}["ping"]']:
            await page.send(message)
        while not (await asyncio.wait_for(page.recv(), LIMIT_S)).startswith(f'{EVENT}["ping","pong"]'):
            pass


async def test_a_bad_event_is_a_line_of_the_log(tmp_path: Path) -> None:
    build_page()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with served(scratch=tmp_path, environment=own) as server:
        for message in BAD:
            await say(server, [message])
        for refused in REFUSED:
            with pytest.raises(ConnectionClosed) as closed:
                await say(server, [refused])
            assert closed.value.rcvd is not None
            assert "no event of a page" in closed.value.rcvd.reason
        assert server.get("/healthz")[0] == 200
        _, *lines = server.printed().splitlines()
    assert lines
    assert [line for line in lines if not line.startswith("Page event: ") or not line.isprintable()] == []
    assert not any("secret-agent" in line or "Traceback" in line for line in lines)
