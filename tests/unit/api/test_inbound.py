"""What a client says over a WebSocket: too much of it closes the connection before anything is parsed."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from scale_app.api.guard import Guard
from scale_app.settings import Settings


async def lengths(socket: WebSocket) -> None:
    """Tells how long each message was."""
    await socket.accept()
    while (message := await socket.receive())["type"] == "websocket.receive":
        await socket.send_text(str(len(message.get("text") or message["bytes"])))


@pytest.fixture
def client() -> Iterator[TestClient]:
    routes = [WebSocketRoute("/_event/", lengths), WebSocketRoute("/ws/metrics", lengths)]
    with TestClient(Guard(Starlette(routes=routes), Settings(allowed_hosts=("testserver",)))) as client:
        yield client


def _closing(client: TestClient, path: str, message: str | bytes) -> tuple[int, str]:
    """Code and reason that the message was answered with."""
    with client.websocket_connect(path) as socket:
        socket.send_bytes(message) if isinstance(message, bytes) else socket.send_text(message)
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    return closed.value.code, closed.value.reason


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ("42" + "x" * 1_000_000, "1,000,002 characters"),
        ('42/_event,["event",{"a":[' + "[]," * 10_000 + "0]}]", "10,000 parts"),
        ('42/_event,["event",{"a":[' + "0," * 10_000 + "0]}]", "10,000 parts"),
        ('42/_event,["event",' + "[" * 200 + "{", "deeper than 100"),
        ('42/_event,["event",' + '{"a":' * 200 + "0" + "}" * 200 + "]", "deeper than 100"),
        ('42/_event,["event",{"a":' + "9" * 70_000 + "}]", "outside of its texts"),
        ('42/_event,["event",{"a":1}]' + "x" * 70_000, "outside of its texts"),
        ('42/_event,["event",' + json.dumps("[[]," * 2_000) + "]", "no event"),
        ("zz", "no event of a page"),
        ("", "no event of a page"),
        ("9", "no event of a page"),
        ("²", "no event of a page"),
        ("bAAAA", "no event of a page"),
        (b"x" * 4_097, "4,097 characters"),
    ],
)
def test_a_message_to_the_page_that_is_too_much_closes_with_why(
    client: TestClient, message: str | bytes, word: str
) -> None:
    code, reason = _closing(client, "/_event/", message)
    assert (code, word in reason) == (1009, True), reason
    assert len(reason.encode()) <= 123


@pytest.mark.parametrize("text", ["[,{" * 100_000, '"[\\' * 50_000, "- - 0.5\n  - 1.0\n" * 10_000, "\u2028{" * 1_000])
def test_a_long_text_in_a_form_goes_through_whatever_is_in_it(client: TestClient, text: str) -> None:
    message = '42/_event,["event",' + json.dumps({"name": "set", "payload": {"value": text}}) + "]"
    with client.websocket_connect("/_event/") as socket:
        socket.send_text(message)
        assert socket.receive_text() == str(len(message))


@pytest.mark.parametrize("message", ["x" * 4_097, b"x" * 4_097])
def test_a_feed_takes_no_long_messages(client: TestClient, message: str | bytes) -> None:
    code, reason = _closing(client, "/ws/metrics", message)
    assert (code, "4,097 characters" in reason) == (1009, True)


def test_short_messages_to_a_feed_hurt_nobody(client: TestClient) -> None:
    with client.websocket_connect("/ws/metrics") as socket:
        for _ in range(3):
            socket.send_text("[" * 4_096)
            assert socket.receive_text() == "4096"
