"""Apprise for real: what it understands, what it does when nobody is there, and an alert's way from traffic to hook."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from scale_app.adapters.in_process import LocalLeases
from scale_app.adapters.notify import AppriseNotifier, notifiers
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import NotifyFailed, SettingsError
from scale_app.domain.notice import Notice
from scale_app.domain.plan import Limits, LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Adapters
from scale_app.service.access import Access
from scale_app.service.hub import Hub
from tests.fakes import FakeStore
from tests.fakes_access import FakeAccessStore
from tests.fakes_hub import FakeDemo
from tests.fakes_load import OpenGate, PlayedDirectory, PlayedGenerator
from tests.webhook import running_webhook

SECRET = "s3cr3t-t0ken"


def test_nothing_asked_for_is_nobody_to_tell() -> None:
    assert notifiers(()) == ()


@pytest.mark.parametrize("url", [f"nosuch://{SECRET}", f"slack://{SECRET}", "json://", f"https:///{SECRET}"])
def test_a_url_that_apprise_does_not_understand_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        notifiers(("json://127.0.0.1/", url))
    assert "SCALE_NOTIFY_URLS: URL 2" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#ops", "mailto://user:pass@example.com", "xmls://h/p"]
)
def test_chat_and_mail_are_understood_without_a_connection(url: str) -> None:
    assert AppriseNotifier(url, 3).name == f"{url.partition('://')[0]} (URL 3 of SCALE_NOTIFY_URLS)"


async def test_a_receiver_that_is_gone_is_an_error_and_not_a_hang() -> None:
    with socket.socket() as taken:  # bound but not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        notifier = AppriseNotifier(f"json://127.0.0.1:{taken.getsockname()[1]}/{SECRET}?cto=2&rto=2", 1)
        with pytest.raises(NotifyFailed, match="could not be reached") as failed:
            await notifier.send(Notice("title", "body"))
    assert SECRET not in str(failed.value)


async def test_a_receiver_that_never_answers_holds_up_nobody_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        notifier = AppriseNotifier(f"json://127.0.0.1:{silent.getsockname()[1]}/?cto=1&rto=1", 1)
        began = time.monotonic()
        sending = asyncio.create_task(notifier.send(Notice("title", "body")))
        await asyncio.sleep(0.1)
        assert not sending.done()
        with pytest.raises(NotifyFailed):
            await sending
        assert time.monotonic() - began < 10


async def test_a_receiver_that_hangs_keeps_one_thread_and_no_message_waits_behind_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        notifier = AppriseNotifier(f"json://127.0.0.1:{silent.getsockname()[1]}/{SECRET}?cto=60&rto=60", 1)
        before = set(threading.enumerate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(notifier.send(Notice("title", "body")), 0.3)
        with pytest.raises(NotifyFailed, match="an earlier message is still being sent") as failed:
            await notifier.send(Notice("later", "body"))
        (hanging,) = set(threading.enumerate()) - before
        assert hanging.daemon  # the server's end does not wait for it
        taken, _ = silent.accept()
        taken.close()
        await asyncio.to_thread(hanging.join, 20)
    assert not hanging.is_alive()
    assert SECRET not in str(failed.value)


def test_nothing_is_written_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    notifier = AppriseNotifier("json://127.0.0.1:1/?cto=1&rto=1", 1)
    with pytest.raises(NotifyFailed):
        asyncio.run(notifier.send(Notice("title", "body")))
    assert list(tmp_path.rglob("*")) == []


ARMED = "@everyone @here <!channel> <!subteam^S1> <@U123> <@&42> <#C1> [safe](https://evil.example) <https://e.example|safe>"


@pytest.mark.parametrize(
    "url",
    [f"slack://T1JJ3T3L2/A1BRTD4JD/{'T' * 24}/#ops", f"discord://4174216298/{'j' * 40}", "mmost://127.0.0.1/aaaaaa"],
)
async def test_a_chat_room_is_not_made_to_mention_or_link(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    sent: list[str] = []

    def post(_url: str, data: str | bytes = "", **_more: object) -> requests.Response:
        sent.append(str(json.loads(data)))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"ok"
        return answer

    monkeypatch.setattr(requests, "post", post)
    monkeypatch.setattr(requests, "request", lambda _method, url, **more: post(url, **more))
    await AppriseNotifier(url, 1).send(Notice(f"on {ARMED}", f"pod {ARMED} at https://scale.example/runs/1"))
    (text,) = sent
    for armed in ("@everyone", "@here", "<!", "<@", "<#", "](", "<https", "&lt;!", "&lt;@", "@U", "@&"):
        assert armed not in text
    assert "everyone" in text
    assert "https://scale.example/runs/1" in text


async def test_a_program_gets_the_text_as_it_is() -> None:
    with running_webhook() as hook:
        await AppriseNotifier(f"json://127.0.0.1:{hook.port}/", 1).send(Notice("title", ARMED))
        await until(lambda: hook.got)
    assert hook.got[0]["message"] == ARMED


async def test_an_imbalance_reaches_the_hook_with_its_run_and_a_link() -> None:
    generator = PlayedGenerator()
    with running_webhook() as hook:
        adapters = Adapters(
            OpenGate(),
            {Source.HEADER: generator},
            {Source.HEADER: PlayedDirectory("a", "b")},
            FakeStore(),
            FakeDemo(),
            SystemClock(),
            LocalLeases(SystemClock()),
            notifiers=notifiers((f"json://127.0.0.1:{hook.port}/{SECRET}",)),
        )
        hub = Hub(
            adapters, Access(FakeAccessStore(), adapters.clock, lambda _: None), Limits(), 2, "https://scale.example"
        )
        await hub.open()
        run_id = await hub.start(LoadPlan())
        await until(lambda: generator.loads)
        generator.loads[0].ready()
        for second in range(1, 6):
            generator.loads[0].traffic(second, a=second * 500, b=second * 100)
        await until(lambda: hook.got)
        await hub.close()
    assert hook.got[0]["title"] == "Scale: alert on demo"
    assert hook.got[0]["message"].startswith("Uneven: ")
    assert f"https://scale.example/runs/{run_id}" in hook.got[0]["message"]


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)
