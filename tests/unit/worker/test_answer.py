"""Answers as servers really give them, in whole and in single bytes."""

from __future__ import annotations

from functools import partial

import pytest

from scale_app.worker.answer import MOST_REMEMBERED, Answer, AnswerCache, AnswerReader
from scale_app.worker.counters import Counters
from scale_app.worker.health import RequestFailed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Pod-Name: pod-a\r\n\r\nhi"


def read(*parts: bytes, then_closed: bool = False) -> AnswerReader:
    answer = AnswerReader("X-Pod-Name")
    for part in parts:
        answer.feed(part)
    if then_closed:
        answer.end()
    return answer


@pytest.mark.parametrize("parts", [[OK], [OK[i : i + 1] for i in range(len(OK))]], ids=["whole", "single bytes"])
def test_status_pod_and_size_are_read(parts: list[bytes]) -> None:
    answer = read(*parts)
    assert (answer.complete, answer.status, answer.pod, answer.body_bytes, answer.reusable) == (
        True,
        200,
        b"pod-a",
        2,
        True,
    )


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi, and more", False),
        (OK + OK, False),
    ],
    ids=["204", "304", "chunked", "close", "1.0", "interim", "too long", "two"],
)
def test_the_end_of_an_answer_is_found(data: bytes, reusable: bool) -> None:
    answer = read(data)
    assert answer.complete
    assert answer.reusable is reusable


def test_an_interim_answer_is_not_the_answer() -> None:
    answer = read(b"HTTP/1.1 103 Early Hints\r\nX-Pod-Name: hint\r\n\r\n")
    assert not answer.complete
    answer.feed(OK)
    assert (answer.status, answer.pod) == (200, b"pod-a")


def test_a_trailer_names_no_pod_and_closes_nothing() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n"
    answer = read(head + b"X-Pod-Name: late\r\nConnection: close\r\n\r\n")
    assert (answer.complete, answer.pod, answer.reusable) == (True, b"", True)


def test_a_second_answer_on_the_connection_starts_afresh() -> None:
    answer = read(OK)
    answer.expect()
    assert answer.feed(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")
    assert (answer.status, answer.pod, answer.body_bytes) == (503, b"", 0)


def test_a_body_without_a_length_ends_when_the_server_closes() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\n\r\nhalf")
    assert not answer.complete
    assert answer.end()
    assert not answer.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
    ],
)
def test_closing_inside_an_answer_is_no_end(data: bytes) -> None:
    answer = AnswerReader("X-Pod-Name")
    answer.feed(data)
    assert not answer.end()


GO_400 = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
NGINX_400 = (
    b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 47\r\n\r\n"
    b"The plain HTTP request was sent to HTTPS port\r\n"
)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00", "server speaks HTTP/2"),
        (b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", "server speaks HTTP/2"),
        (b"\x15\x03\x01\x00\x02\x02\x46", "server speaks TLS"),
        (GO_400, "server speaks TLS"),
        (NGINX_400, "server speaks TLS"),
        (b"\x00\x00\x06\x04\x00\x00\x00\x00\x01", "malformed answer"),
    ],
)
def test_another_protocol_is_told_by_its_first_bytes(data: bytes, cause: str) -> None:
    with pytest.raises(RequestFailed, match=f"^{cause}$"):
        read(data)


def test_a_bad_request_is_an_answer_like_any_other() -> None:
    assert read(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno").complete


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 xx OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_malformed_answer(data: bytes) -> None:
    with pytest.raises(RequestFailed, match="malformed answer"):
        read(data)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nX-Big: ",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Trailer: ",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 10,
    ],
    ids=["header", "trailer", "interim"],
)
def test_everything_but_the_body_is_bounded(head: bytes) -> None:
    more = b"HTTP/1.1 100 Continue\r\n\r\n" if head.endswith(b"\n") else b"x" * 1_000
    with pytest.raises(RequestFailed, match="header too large"):
        read(head, *[more] * 10_000)


def test_a_large_body_is_thrown_away_as_it_comes() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n", *[bytes(100_000)] * 100)
    assert answer.complete
    assert answer.body_bytes == 10_000_000


@pytest.mark.parametrize(
    ("head", "reusable"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nX-Pod-Name: a\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Pod-Name: a\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nX-Pod-Name: a\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nX-Pod-Name: a\r\n\r\n", False),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Pod-Name: a\r\n\r\n", True),
    ],
    ids=["length", "chunked", "neither", "close", "interim"],
)
def test_an_answer_to_head_ends_with_its_header(head: bytes, reusable: bool) -> None:
    answer = AnswerReader("X-Pod-Name", head_only=True)
    for _ in range(2):
        answer.expect()
        assert answer.feed(head)
        assert (answer.pod, answer.body_bytes, answer.reusable) == (b"a", 0, reusable)


def test_a_body_in_answer_to_head_spoils_the_connection() -> None:
    answer = AnswerReader("X-Pod-Name", head_only=True)
    assert answer.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    assert not answer.reusable


def learned(cache: AnswerCache, data: bytes) -> Answer:
    reader = cache.reader()
    assert reader.feed(data)
    return cache.learn(data, reader)


def test_an_answer_that_was_seen_before_means_the_same() -> None:
    cache = AnswerCache(Counters(), partial(AnswerReader, "X-Pod-Name"))
    answer = learned(cache, OK)
    assert cache.known == {OK: answer}
    assert answer == cache.known[OK] == learned(cache, OK)
    assert (answer.reusable, answer.as_last().reusable) == (True, False)


def test_the_book_of_answers_is_bounded() -> None:
    cache = AnswerCache(Counters(), partial(AnswerReader, "X-Pod-Name"))
    for number in range(2 * MOST_REMEMBERED + 5):
        learned(cache, b"HTTP/1.1 200 OK\r\nX-Id: %d\r\nContent-Length: 0\r\n\r\n" % number)
    assert len(cache.known) <= MOST_REMEMBERED
    size = len(cache.known)
    learned(cache, b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" + bytes(9_000))
    assert len(cache.known) == size
