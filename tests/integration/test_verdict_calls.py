"""A pipeline's call against a real server: it waits for the run, and keeps nobody from ending the server."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.serving import Served, build_page, served

LONG = {"target_url": "simulated", "users": 4, "duration_s": 60}
END_LIMIT_S = 12.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    build_page()
    with served(scratch=tmp_path) as running:
        yield running


def ask(server: Served, method: str, path: str, body: object = None) -> tuple[int, dict[str, object]]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"{server.url}{path}", content, {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, json.load(answer)


def until(there: Callable[[], bool], tries: int = 200) -> None:
    for _ in range(tries):
        if there():
            return
        time.sleep(0.1)
    raise AssertionError("not in time")


def test_a_server_that_is_told_to_end_does_not_wait_for_who_waits_for_a_verdict(server: Served) -> None:
    assert ask(server, "PUT", "/api/v1/plans/long", LONG)[0] == 200
    answers: list[tuple[int, dict[str, object]] | OSError] = []

    def wait() -> None:
        try:
            answers.append(ask(server, "POST", "/api/v1/plans/long/verdict"))
        except OSError as cut:
            answers.append(cut)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: ask(server, "GET", "/api/v1/runs")[1]["total"] == 1)
    code, took_s = server.stop()
    waiting.join(END_LIMIT_S)
    assert (code, answers != []) == (0, True)
    assert took_s < END_LIMIT_S
    assert isinstance(answers[0], OSError) or answers[0][0] == 409
