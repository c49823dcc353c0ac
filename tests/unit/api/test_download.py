"""An answer that is written while it is sent: what its client and its maker see when something comes in between."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from scale_app.api.v1 import reports
from scale_app.api.v1.reports import Download, Places
from scale_app.domain.errors import StoreUnavailable, TooManyExports
from tests.fakes import FakeClock

SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "asgi": {"spec_version": "2.3"}}


class Client:
    """Takes what is sent; `gone` makes it leave. stuck: it takes nothing after the first piece."""

    def __init__(self, stuck: bool = False) -> None:
        self.sent: list[Any] = []
        self.gone = asyncio.Event()
        self._stuck = stuck

    async def receive(self) -> dict[str, str]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if self._stuck and len(self.sent) > 1:
            await asyncio.Event().wait()


class Pieces:
    """ended: how the making of pieces ended, "" while it goes on."""

    def __init__(self, error: Exception | None = None) -> None:
        self.ended = ""
        self._error = error

    async def make(self) -> AsyncGenerator[bytes, None]:
        self.ended = "cut"
        try:
            for _ in range(3):
                yield b"x"
            if self._error:
                raise self._error
            self.ended = "whole"
        finally:
            await asyncio.sleep(0)  # as a database's session does when it is let go
            self.ended += ", let go"


async def test_a_whole_answer_ends_with_its_last_chunk() -> None:
    client, pieces = Client(), Pieces()
    await Download(pieces.make(), {}, "It", await Places().take())(SCOPE, client.receive, client.send)
    assert pieces.ended == "whole, let go"
    assert client.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_client_that_goes_ends_the_work_at_once() -> None:
    client, pieces = Client(stuck=True), Pieces()
    answer = asyncio.create_task(
        Download(pieces.make(), {}, "It", await Places().take())(SCOPE, client.receive, client.send)
    )
    while len(client.sent) < 2:
        await asyncio.sleep(0)
    client.gone.set()
    async with asyncio.timeout(10):
        await answer
    assert pieces.ended == "cut, let go"


async def test_an_error_in_the_middle_leaves_the_answer_without_its_end(caplog: pytest.LogCaptureFixture) -> None:
    client, pieces = Client(), Pieces(StoreUnavailable("The database went away."))
    place = await Places().take()
    with caplog.at_level(logging.ERROR):
        await Download(pieces.make(), {}, "The json of run 7", place)(SCOPE, client.receive, client.send)
    assert client.sent[-1]["more_body"]
    assert "The json of run 7 was cut off: The database went away." in caplog.text
    assert pieces.ended == "cut, let go"


async def test_a_client_that_takes_nothing_is_let_go(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reports, "TAKE_LIMIT_S", 0.01)
    client, pieces, places = Client(stuck=True), Pieces(), Places(1)
    place = await places.take()
    await Download(pieces.make(), {}, "The json of run 7", place)(SCOPE, client.receive, client.send)
    assert pieces.ended == "cut, let go"
    await places.take()
    assert "The json of run 7 was cut off: its client took nothing" in caplog.text


async def test_who_finds_no_place_gets_the_next_that_is_free() -> None:
    places, came = Places(2), []

    async def wait(name: str) -> None:
        await places.take()
        came.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in "abcd"]
    for free in ("ab", "abc", "abcd"):
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert "".join(came) == free
        places.free()
    await asyncio.gather(*waiting)


async def test_who_waits_too_long_for_a_place_is_told_when_to_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "PATIENCE_S", 0.01)
    places = Places(1)
    await places.take()
    with pytest.raises(TooManyExports, match="Try again in 1 seconds"):
        await places.take()
    places.free()
    await places.take()


class Slow(Client):
    """Takes each piece so late."""

    def __init__(self, clock: FakeClock, each_s: float) -> None:
        super().__init__()
        self._clock, self._each_s = clock, each_s

    async def send(self, message: Any) -> None:
        await super().send(message)
        self._clock.advance(self._each_s)


@pytest.mark.parametrize(
    ("others_wait", "each_s", "ended"),
    [(True, 59.0, "cut"), (False, 59.0, "whole"), (True, 20.0, "whole")],
)
async def test_who_takes_slowly_keeps_no_place_from_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, others_wait: bool, each_s: float, ended: str
) -> None:
    monkeypatch.setattr(reports, "PATIENCE_S", 0.01)
    clock, pieces = FakeClock(), Pieces()
    places = Places(1, clock.monotonic_s)
    client, place = Slow(clock, each_s), await places.take()
    if others_wait:
        with pytest.raises(TooManyExports):
            await places.take()
    await Download(pieces.make(), {}, "The json of run 7", place)(SCOPE, client.receive, client.send)
    assert pieces.ended == f"{ended}, let go"
    assert ("not taken within 120 s, while others waited" in caplog.text) == (ended == "cut")
    await places.take()
