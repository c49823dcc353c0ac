"""What `scale doctor` makes of what may be read in a cluster."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from scale_app.cli.doctor_checks import (
    Row,
    Status,
    callers_row,
    history_row,
    port_row,
    redis_rows,
    secret_rows,
    source_rows,
    target_row,
)
from scale_app.domain.cluster import NO_CLUSTER, PermissionList, SourcePermission
from scale_app.domain.errors import BusUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import KEEP_ALL, Retention
from scale_app.domain.secret import Secret
from scale_app.domain.snapshot import Source
from scale_app.domain.source import NEEDS
from scale_app.domain.verdict_sentence import REDIRECTED
from scale_app.identity_settings import load_identity
from scale_app.ports import Admitted
from scale_app.settings import Settings
from tests.integration.test_other_protocols import GOAWAY_FRAME, SETTINGS_FRAME
from tests.integration.test_worker_requests import tls_of
from tests.serving import free_port

TLS_ALERT = bytes.fromhex("15030100020246")


def of(source: str, allowed: bool | None) -> Row:
    need = next(need for need in NEEDS if need.source == source)
    return source_rows(PermissionList((SourcePermission(source, need.used_for, need.rules, allowed, (), "Said."),)))[0]


@pytest.mark.parametrize(
    ("source", "allowed", "status"),
    [
        ("targets", True, "ok"),
        ("targets", None, "note"),
        ("targets", False, "problem"),
        ("ephemeral", False, "note"),
        ("usage", False, "note"),
        ("usage", True, "ok"),
    ],
)
def test_a_right_that_may_be_done_without_is_no_problem(source: str, allowed: bool | None, status: Status) -> None:
    assert of(source, allowed) == Row(f"source {source}", status, "Said.")


@pytest.mark.parametrize(("problem", "status"), [(NO_CLUSTER, "note"), ("The token has expired.", "problem")])
def test_to_have_no_cluster_is_no_problem_but_to_be_kept_out_of_one_is(problem: str, status: Status) -> None:
    assert source_rows(PermissionList(problem=problem)) == [Row("sources", status, problem)]


@pytest.mark.parametrize(
    ("kept", "size_bytes", "status", "said"),
    [
        (
            Retention(),
            12_340_000,
            "ok",
            "3 runs take 12.3 MB; the oldest are deleted beyond 700 MB (SCALE_HISTORY_MB)",
        ),
        (Retention(90, 0, 10), 12_340_000, "note", "beyond 10 MB (SCALE_HISTORY_MB), 90 days (SCALE_HISTORY_DAYS)."),
        (KEEP_ALL, 0, "ok", "3 runs take 0.0 MB, and nothing is ever deleted."),
    ],
)
def test_the_history_is_told_with_its_limits(kept: Retention, size_bytes: int, status: Status, said: str) -> None:
    row = history_row(kept, 3, size_bytes)
    assert row.status == status
    assert said in row.found


@asynccontextmanager
async def answering(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that says this whatever it is asked; its host and port."""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        with suppress(OSError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(say, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def target_row_of(url: str) -> Row:
    async def admit(plan: LoadPlan) -> Admitted:
        return Admitted(plan.target_url, Source.HEADER, ())

    return await target_row(LoadPlan(url), admit)


async def test_a_simulated_target_is_asked_for_nothing() -> None:
    async def admit(plan: LoadPlan) -> Admitted:
        return Admitted(plan.target_url, Source.SIMULATED, ())

    row = await target_row(LoadPlan("simulated"), admit)
    assert (row.status, "invented" in row.found) == ("ok", True)


NAMED = b"HTTP/1.1 200 OK\r\nX-Pod-Name: pod-1\r\nContent-Length: 0\r\n\r\n"


def bad_request(body: str) -> bytes:
    return f"HTTP/1.1 400 Bad Request\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def test_a_certificate_of_an_unknown_authority_is_told_with_what_to_set(tmp_path: Path) -> None:
    async with answering(NAMED, tls_of(tmp_path)[0]) as there:
        row = await target_row_of(f"https://{there}")
    assert row.status == "problem"
    assert row.remedy.startswith("Give the authority that signed the service's certificate (ca_pem)")


@pytest.mark.parametrize(
    ("scheme", "answer", "remedy"),
    [
        ("http", SETTINGS_FRAME + GOAWAY_FRAME, "That port does not speak HTTP/1.1"),
        ("http", TLS_ALERT, "That port does not speak HTTP/1.1"),
        ("https", NAMED, "Write the target with http://"),
        ("http", bad_request("The plain HTTP request was sent to HTTPS port"), "Write the target with https://"),
        ("http", bad_request("Client sent an HTTP request to an HTTPS server."), "Write the target with https://"),
        ("http", bad_request("illegal field"), "Let each pod send its name in X-Pod-Name"),
        ("http", b"HTTP/1.1 302 Found\r\nLocation: https://login.example/\r\nContent-Length: 0\r\n\r\n", REDIRECTED),
        ("http", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "The service, or a sign-in in front of it"),
        ("http", b"", "Is the service running, and is this the Service's port?"),
    ],
)
async def test_a_target_of_another_protocol_is_told_with_what_to_set(scheme: str, answer: bytes, remedy: str) -> None:
    async with answering(answer) as there:
        row = await target_row_of(f"{scheme}://{there}")
    assert row.status == "problem"
    assert row.remedy.startswith(remedy)


async def test_a_target_whose_answer_names_a_pod_is_in_order() -> None:
    async with answering(NAMED) as there:
        assert (await target_row_of(f"http://{there}")).status == "ok"


async def test_a_server_that_would_not_start_for_want_of_names_is_a_problem() -> None:
    row = await port_row(Settings(host="0.0.0.0"))
    assert (row.status, row.found.partition(":")[0]) == (
        "problem",
        "SCALE_HOST = '0.0.0.0' lets other machines in, and SCALE_ALLOWED_HOSTS is not set",
    )
    listed = await port_row(Settings(host="0.0.0.0", port=free_port(), allowed_hosts=("scale.example",)))
    assert listed.status == "ok"


def test_it_says_of_each_secret_where_it_may_go_and_never_what_it_is() -> None:
    rows = secret_rows(
        [
            Secret("SCALE_SECRET_A", "hunter2-hunter2", ("api.shop.svc", "10.0.0.0/8")),
            Secret("SCALE_SECRET_B", "hunter2-hunter2"),
            Secret("SCALE_SECRET_C", "", ("api.shop.svc",)),
        ]
    )
    assert [row.status for row in rows] == ["ok", "note", "note"]
    assert rows[0].found == "SCALE_SECRET_A may be sent to api.shop.svc, 10.0.0.0/8, never to this machine."
    assert rows[1].found == "SCALE_SECRET_B is bound to no target, so no run can send it."
    assert rows[1].remedy == "Name its targets in SCALE_SECRET_B_FOR."
    assert rows[2].found == "SCALE_SECRET_C_FOR is set and SCALE_SECRET_C is not."
    assert "hunter2" not in repr(rows)


@pytest.mark.parametrize(
    ("said", "host", "status", "found"),
    [
        ({}, "127.0.0.1", "ok", "Nobody signs in; only this machine reaches the server."),
        ({}, "0.0.0.0", "problem", "`scale serve` does not start."),
        ({"SCALE_AUTH": "none"}, "0.0.0.0", "note", "SCALE_AUTH=none: nobody signs in"),
        ({"SCALE_AUTH": "required"}, "0.0.0.0", "ok", "Everybody signs in."),
    ],
)
def test_who_may_come_in_is_told(said: dict[str, str], host: str, status: Status, found: str) -> None:
    row = callers_row(load_identity(said), host)
    assert (row.status, row.found[: len(found)]) == (status, found)
    assert ("SCALE_PROXY_NETWORKS" in row.remedy) is (status == "problem")


@pytest.mark.parametrize(("sentences", "statuses"), [([], ["ok"]), (["It forgets.", "It evicts."], ["note", "note"])])
async def test_a_redis_that_answers_is_in_order_but_for_what_it_may_lose(
    sentences: list[str], statuses: list[str]
) -> None:
    async def found() -> list[str]:
        return sentences

    assert [row.status for row in await redis_rows(found)] == statuses


async def test_a_redis_that_does_not_answer_is_a_problem() -> None:
    async def away() -> list[str]:
        raise BusUnavailable("Looking at Redis failed.")

    assert await redis_rows(away) == [Row("redis", "problem", "Looking at Redis failed.")]
