"""Bodies of requests are whole before anybody sees them, and those that are on their way take little memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from scale_app.api import bodies
from scale_app.api.bodies import BROKEN, MOST_BYTES, MOST_OF_ONE_BYTES, PLAN_CAP_BYTES, TOO_MANY, WholeBodies
from scale_app.domain.identity import CALLER, Caller, Principal, Role, SignIn

PATHS = ("/api/echo", "/api/v1/runs", "/auth/logout", "/_upload")


async def echo(request: Request) -> Response:
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def app() -> WholeBodies:
    return WholeBodies(Starlette(routes=[Route(path, echo, methods=["POST", "GET"]) for path in PATHS]))


@pytest.mark.parametrize(
    ("path", "cap"),
    [("/api/echo", 64 * 1024), ("/_upload", 1024 * 1024), ("/api/v1/runs", 2 * 1024 * 1024), ("/auth/logout", 4096)],
)
@pytest.mark.parametrize("announced", [True, False])
def test_a_body_is_taken_up_to_the_cap_and_not_a_byte_more(
    app: WholeBodies, path: str, cap: int, announced: bool
) -> None:
    for size, status in ((cap, 200), (cap + 1, 413)):
        body = b"x" * size
        response = TestClient(app).post(path, content=body if announced else iter([body[:1000], body[1000:]]))
        assert response.status_code == status
    assert f"{cap:,} bytes" in response.text


@pytest.mark.parametrize(("length", "status"), [("9" * 30, 413), ("-1", 400), ("ten", 400)])
def test_an_announced_length_is_checked_before_the_body_is_read(app: WholeBodies, length: str, status: int) -> None:
    response = TestClient(app).post("/api/echo", content=b"x", headers={"Content-Length": length})
    assert response.status_code == status


class Sender:
    """A client that sends these parts and then no more until it is let."""

    def __init__(self, parts: Iterable[bytes], ends: bool = False) -> None:
        self._messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        self._messages += [{"type": "http.disconnect"}] if ends else []
        self.told: list[dict[str, Any]] = []
        self.goes_on = asyncio.Event()

    async def receive(self) -> dict[str, Any]:
        if self._messages:
            return self._messages.pop(0)
        await self.goes_on.wait()
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(self, message: Any) -> None:
        self.told.append(message)

    async def ask(self, app: WholeBodies, who: str, path: str = "/api/v1/runs") -> tuple[int, str]:
        scope = {"type": "http", "method": "POST", "path": path, "headers": [], "query_string": b""}
        CALLER.set(Caller(Principal(who, Role.VIEWER, SignIn.PROXY), ""))
        await app(scope, self.receive, self.send)
        return self.told[0]["status"], self.told[1]["body"].decode()


async def test_a_body_that_never_ends_is_given_up(app: WholeBodies, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "LIMIT_S", 0.01)
    assert (await Sender([b"x"]).ask(app, "ada"))[0] == 408


async def test_a_body_that_breaks_off_is_a_bad_request_and_reaches_nobody(app: WholeBodies) -> None:
    status, said = await Sender([b"x"], ends=True).ask(app, "ada", "/breaks")
    assert (status, BROKEN in said) == (400, True)


async def test_bodies_on_their_way_are_bounded_for_one_and_for_all(app: WholeBodies) -> None:
    whole, held = [b"x" * PLAN_CAP_BYTES], []

    def begun(who: str) -> asyncio.Task[tuple[int, str]]:
        sender = Sender(whole)
        held.append(sender)
        return asyncio.create_task(sender.ask(app, who))

    own = [begun("eve") for _ in range(MOST_OF_ONE_BYTES // PLAN_CAP_BYTES)]
    await asyncio.sleep(0)
    status, said = await begun("eve")
    assert (status, TOO_MANY in said) == (503, True)
    others = [begun(f"u{n // 8}") for n in range((MOST_BYTES - MOST_OF_ONE_BYTES) // PLAN_CAP_BYTES)]
    await asyncio.sleep(0)
    assert (await begun("ada"))[0] == 503
    for sender in held:
        sender.goes_on.set()
    assert {status for status, _ in await asyncio.gather(*own, *others)} == {200}
    held.clear()
    assert (await asyncio.gather(*[begun("eve")], *[_let(sender) for sender in held]))[0][0] == 200


async def _let(sender: Sender) -> None:
    sender.goes_on.set()


def test_what_changes_nothing_has_no_body_read(app: WholeBodies) -> None:
    assert TestClient(app).get("/api/echo").text == "0"
