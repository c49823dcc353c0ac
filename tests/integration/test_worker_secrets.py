"""Secrets at the worker: sent where they belong, and kept out of what comes back when a target says them back."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from scale_app.adapters.locust_process import LocustLoad, LocustProcess
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import GeneratorFailed
from scale_app.domain.plan import LoadPlan
from scale_app.domain.redaction import MARK
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted
from tests.integration.test_worker_counts import until
from tests.integration.test_worker_join import SECRET, worker
from tests.integration.test_worker_processes import Following, children_of
from tests.serving import free_port
from tests.tiny_server import served

VALUE = 'k9+Tz/4w"Qm7&x=Rv2s8'
SECRETS = {"SCALE_SECRET_SHOP": VALUE}
SHOP = "${env:SCALE_SECRET_SHOP}"
PLAN = LoadPlan(
    "http://shop.example/",
    users=4,
    spawn_rate=100,
    duration_s=30,
    requests_per_connection=None,
    think_time_s=0.01,
    method="POST",
    headers={"Authorization": f"Bearer {SHOP}"},
    body=f"key={SHOP}",
)
WAYS: tuple[Callable[[str], str], ...] = (
    str,
    str.lower,
    lambda said: quote(said, safe=""),
    lambda said: json.dumps(said)[1:-1],
    lambda said: base64.b64encode(f"user:{said}".encode()).decode(),
    lambda said: said[:14],
    lambda said: said[:9],
    lambda said: said.encode().hex(),
)


class Mirror:
    """Says back what it was sent as the pod's name, each time in another way. got: requests' heads and bodies."""

    def __init__(self, in_json: bool = False) -> None:
        self.got: list[tuple[str, str]] = []
        self._in_json = in_json
        self._ways = itertools.cycle(WAYS)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = int(head.lower().partition("content-length: ")[2].partition("\r\n")[0] or 0)
            self.got.append((head, (await reader.readexactly(length)).decode()))
            said = head.partition("Authorization: Bearer ")[2].partition("\r\n")[0]
            name = f"pod-{next(self._ways)(said)}"
            body = json.dumps({"pod": name}) if self._in_json else "hi"
            header = "" if self._in_json else f"X-Pod-Name: {name}\r\n"
            writer.write(f"HTTP/1.1 200 OK\r\n{header}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            await writer.drain()


@pytest.fixture
def meeting(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port where remote workers meet their coordinator."""
    found = free_port()
    monkeypatch.setenv("SCALE_WORKER_LISTEN", f"127.0.0.1:{found}")
    monkeypatch.setenv("SCALE_WORKER_SECRET", SECRET)
    return found


async def loading(plan: LoadPlan, port: int, secrets: dict[str, str] = SECRETS) -> Following:
    target = Admitted(f"http://127.0.0.1:{port}/", Source.HEADER, ("127.0.0.0/8",), secrets=secrets)
    load = await LocustProcess(SystemClock()).start(plan, target)
    assert isinstance(load, LocustLoad)
    return Following(load)


def shown_of(pids: list[int]) -> str:
    """What the system shows of processes to others: command lines and environments."""
    return "".join(Path(f"/proc/{pid}/{what}").read_text() for pid in pids for what in ("cmdline", "environ"))


def telling(text: str) -> list[str]:
    """Pieces of the value, written in whatever way, that are in the text."""
    forms = {way(VALUE) for way in WAYS} | {base64.b64encode(VALUE.encode()).decode()}
    pieces = {form[at : at + 8].lower() for form in forms for at in range(len(form) - 7)}
    return [piece for piece in pieces if piece in text.lower() and piece not in "user:"]


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.parametrize("in_json", [False, True], ids=["in a header", "in the body"])
async def test_what_a_target_says_back_names_no_pod(
    processes: int, in_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "SCALE_SECRET_SHOP",
        "SCALE_OIDC_CLIENT_SECRET",
        "SCALE_DATABASE_URL",
        "SCALE_NOTIFY_URLS",
        "SCALE_TOKEN",
        "SCALE_WORKER_SECRET",
    ):
        monkeypatch.setenv(name, VALUE)
    monkeypatch.setenv("SCALE_LOCUSTFILES", "/of the load generator's own")
    mirror = Mirror(in_json)
    async with served(mirror) as port:
        plan = replace(PLAN, processes=processes, json_field="pod" if in_json else "")
        run = await loading(plan, port)
        await until(lambda: bool(run.traffic) and run.traffic[-1].requests > 100, 20)
        pids = [run.load.pid, *children_of(run.load.pid)]
        seen = shown_of(pids)
        await run.load.stop()
        assert (await run.ended()).error == ""
    assert all(f"Authorization: Bearer {VALUE}\r\n" in head and body == f"key={VALUE}" for head, body in mirror.got)
    names = set(run.traffic[-1].pods)
    assert 1 <= len(names) < len(WAYS)
    assert all(name.startswith("pod-") and MARK in name for name in names)
    assert sum(pod.requests for pod in run.traffic[-1].pods.values()) == len(mirror.got)
    assert not telling(repr(run.seen))
    assert len(pids) == (1 if processes == 1 else 3)
    assert not telling(seen)
    assert "SCALE_LOCUSTFILES=/of the load generator's own" in seen


async def test_a_remote_worker_gets_what_is_bound_and_says_none_of_it(
    meeting: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SCALE_SECRET_SHOP", "a-value-of-the-other-machine")
    mirror = Mirror()
    async with served(mirror) as target, worker(meeting, processes=1) as helper:
        run = await loading(replace(PLAN, users=8, remote_workers=1), target)
        await until(lambda: run.users() == 8 and run.traffic[-1].requests > 100, 30)
        await run.load.stop()
        assert (await run.ended()).error == ""
        await until(lambda: "Done" in helper.said, 10)
    assert all(f"Authorization: Bearer {VALUE}\r\n" in head for head, _ in mirror.got)
    assert not telling(repr(run.seen) + helper.said)
    assert "a-value-of-the-other-machine" not in repr(mirror.got)


async def test_a_secret_that_was_not_given_is_not_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALE_SECRET_SHOP", VALUE)
    with pytest.raises(GeneratorFailed, match="no secret of this name is bound to this target") as failed:
        await loading(PLAN, 1, {})
    assert not telling(str(failed.value))


FILE = """
import os, sys
from locust import HttpUser, constant, events, task

VALUE = os.environ["SCALE_SECRET_SHOP"]
print("loaded with", VALUE)
print("and", VALUE, file=sys.stderr)

class Buyer(HttpUser):
    wait_time = constant(0.02)
    @task
    def named(self):
        self.client.get("/", headers={"Authorization": f"Bearer {VALUE}"}, name=VALUE)
    @task
    def failing(self):
        with self.client.get("/", headers={"Authorization": "Bearer x"}, catch_response=True) as answer:
            ours = sorted(n for n in os.environ if n.startswith(("SCALE_SECRET_", "SCALE_WORKER_")))
            answer.failure(f"refused {VALUE} by {ours}")
    @task
    def raising(self):
        raise ValueError(f"no such key: {VALUE}")
"""
CRASHING = """
import os
raise RuntimeError("cannot log in with " + os.environ["SCALE_SECRET_SHOP"])
"""
DYING = """
import os
def die():
    os.write(2, ("dying of " + os.environ["SCALE_SECRET_SHOP"] + "\\n").encode())
    os._exit(7)
from locust import HttpUser, task
class Dying(HttpUser):
    @task
    def go(self):
        die()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCALE_LOCUSTFILES", str(tmp_path))
    monkeypatch.setenv("SCALE_SECRET_OTHER", "bound-to-another-target")
    return tmp_path


LOCUST = LoadPlan(
    "http://shop.example/", users=4, spawn_rate=100, requests_per_connection=None, timeout_s=2, locustfile="shop.py"
)


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.usefixtures("meeting")
async def test_a_locustfile_finds_what_is_bound_and_its_words_are_redacted(folder: Path, processes: int) -> None:
    (folder / "shop.py").write_text(FILE)
    mirror = Mirror()
    async with served(mirror) as port:
        run = await loading(replace(LOCUST, processes=processes), port)
        await until(
            lambda: bool(run.traffic) and len(run.traffic[-1].errors) == 1 and len(run.traffic[-1].pods) > 1, 20
        )
        await run.load.stop()
        await run.ended()
    assert any(VALUE in head for head, _ in mirror.got)
    assert set(run.traffic[-1].errors) == {f"refused {MARK} by ['SCALE_SECRET_SHOP']"}
    assert not telling(repr(run.seen))


async def test_a_locustfile_that_breaks_does_not_say_why_in_clear(folder: Path) -> None:
    (folder / "shop.py").write_text(CRASHING)
    with pytest.raises(GeneratorFailed, match=r"cannot log in with \[secret\]") as failed:
        await loading(LOCUST, 1)
    assert not telling(str(failed.value))


async def test_neither_do_the_last_words_of_a_process_that_dies(folder: Path) -> None:
    (folder / "shop.py").write_text(DYING)
    async with served(Mirror()) as port:
        run = await loading(LOCUST, port)
        error = (await run.ended()).error
    assert f"dying of {MARK}" in error
    assert not telling(repr(run.seen))


async def test_a_worker_that_serves_run_after_run_forgets_the_secrets_of_the_last(
    folder: Path,
    meeting: int,
) -> None:
    (folder / "shop.py").write_text(FILE)
    (folder / "next.py").write_text(FILE.replace('os.environ["SCALE_SECRET_SHOP"]', '"Nothing-here"'))
    plan = replace(LOCUST, remote_workers=1)
    async with served(Mirror()) as target, worker(meeting, processes=1) as helper:
        first = await loading(plan, target)
        await until(lambda: first.users() == 4 and bool(first.traffic[-1].errors), 30)
        await first.load.stop()
        await first.ended()
        assert set(first.traffic[-1].errors) == {f"refused {MARK} by ['SCALE_SECRET_SHOP']"}
        second = await loading(replace(plan, locustfile="next.py"), target, {})
        await until(lambda: second.users() == 4 and bool(second.traffic[-1].errors), 30)
        await second.load.stop()
        await second.ended()
        assert not telling(helper.said)
        assert f"and {MARK}" in helper.said
    assert set(second.traffic[-1].errors) == {"refused Nothing-here by []"}


async def test_a_redirect_is_an_answer_and_takes_no_secret_anywhere() -> None:
    elsewhere = Mirror()
    heads: list[bytes] = []

    async with served(elsewhere) as other:

        async def away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
                heads.append(head)
                where = f"http://127.0.0.1:{other}/"
                writer.write(f"HTTP/1.1 307 Elsewhere\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode())

        async with served(away) as port:
            run = await loading(PLAN, port)
            await until(lambda: bool(run.traffic) and run.traffic[-1].requests > 50, 20)
            await run.load.stop()
            await run.ended()
    assert len(heads) > 50
    assert elsewhere.got == []
