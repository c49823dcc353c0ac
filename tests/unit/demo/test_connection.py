"""Requests out of a byte stream, whichever way it is cut, and what is refused."""

from __future__ import annotations

import pytest

from scale_app.demo.cluster import answer
from scale_app.demo.connection import MAX_HEAD_BYTES, BadRequest, Request, RequestReader

GET = b"GET /any/path?x=1 HTTP/1.1\r\nHost: demo\r\n\r\n"


def read(data: bytes) -> list[Request]:
    reader = RequestReader()
    reader.feed(data)
    return taken(reader)


def taken(reader: RequestReader) -> list[Request]:
    requests = []
    while request := reader.next():
        requests.append(request)
    return requests


def test_pipelined_requests_come_out_one_by_one() -> None:
    assert len(read(GET * 3)) == 3


def test_a_request_in_single_bytes_comes_out_once_and_only_at_its_end() -> None:
    reader = RequestReader()
    counts = []
    for byte in GET + GET:
        reader.feed(bytes([byte]))
        counts.append(len(taken(reader)))
    assert sum(counts) == 2
    assert counts[len(GET) - 1] == counts[-1] == 1
    assert reader.empty


def test_a_body_is_skipped_and_the_next_request_is_found_after_it() -> None:
    body = b"GET / HTTP/1.1\r\n\r\n"  # looks like a request, and must not count as one
    post = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    assert [request.body_bytes for request in read(post + GET)] == [len(body), 0]


def test_a_request_is_not_handed_out_before_its_body_has_arrived() -> None:
    reader = RequestReader()
    reader.feed(b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabc")
    assert reader.next() is None
    assert not reader.empty
    reader.feed(b"d")
    assert reader.next() is not None
    assert reader.empty


def test_empty_lines_before_a_request_are_ignored() -> None:
    assert len(read(b"\r\n" + GET + b"\r\n\r\n" + GET)) == 2


@pytest.mark.parametrize(
    ("head", "connection"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", ""),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "close"),
        (b"GET / HTTP/1.1\r\ncONNECTION:Upgrade , CLOSE\r\n\r\n", "close"),
        (b"GET / HTTP/1.0\r\n\r\n", "close"),
        (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "keep-alive"),
    ],
)
def test_the_connection_is_kept_or_closed_as_the_version_and_header_say(head: bytes, connection: str) -> None:
    assert [request.connection for request in read(head)] == [connection]


def test_a_close_inside_another_header_does_not_close() -> None:
    assert read(b"GET / HTTP/1.1\r\nX-Note: Connection: close\r\n\r\n")[0].connection == ""


def test_a_wish_for_another_protocol_is_not_heeded() -> None:
    upgrade = b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    assert [request.connection for request in read(upgrade + GET)] == ["", ""]


def test_what_was_read_before_is_read_alike() -> None:
    heads = [GET, b"HEAD / HTTP/1.0\r\n\r\n"]
    assert [read(head) for head in heads] == [read(head) for head in heads]


def test_a_long_head_in_pieces_is_within_the_bound() -> None:
    reader = RequestReader()
    for piece in (GET[:-2], b"A: ", *[b"a" * 4_000] * 3, b"\r\n\r\n"):
        reader.feed(piece)
    assert reader.next() is not None


def test_a_head_without_an_end_is_refused() -> None:
    reader = RequestReader()
    for piece in (GET[:-2], b"A: ", *[b"a" * 4_000] * 5):
        reader.feed(piece)
    with pytest.raises(BadRequest):
        reader.next()


@pytest.mark.parametrize(
    "garbage",
    [
        b"hello\r\n\r\n",
        b"hello world\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\n\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nSpace : before\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: identity\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: ten\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        b"A" * 40,
        b"GET /" + b"a" * MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
    ],
)
def test_what_is_no_answerable_request_is_refused(garbage: bytes) -> None:
    with pytest.raises(BadRequest):
        read(garbage)


def test_the_requests_before_garbage_are_still_handed_out() -> None:
    reader = RequestReader()
    reader.feed(GET + b"\x00\x00")
    assert reader.next() is not None
    with pytest.raises(BadRequest):
        reader.next()


def test_the_beginning_of_a_good_head_is_waited_for() -> None:
    for end in range(1, len(GET)):
        assert read(GET[:end]) == []


def test_continue_is_due_once_and_only_while_the_body_is_awaited() -> None:
    head = b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    reader = RequestReader()
    reader.feed(head)
    assert reader.next() is None
    assert reader.continue_due()
    assert not reader.continue_due()
    reader.feed(b"ab")
    assert reader.next() is not None
    reader.feed(head + b"ab")
    assert reader.next() is not None
    assert not reader.continue_due()


def test_forgetting_drops_what_was_not_handed_out() -> None:
    reader = RequestReader()
    reader.feed(GET + GET[:10])
    reader.forget()
    assert reader.empty
    assert reader.next() is None


def test_an_answer_to_head_differs_from_one_to_get_by_its_missing_body_alone() -> None:
    full = answer(200, "demo-1", head_only=False, connection="")
    head, body = full.split(b"\r\n\r\n")
    assert answer(200, "demo-1", head_only=True, connection="") == head + b"\r\n\r\n"
    assert b"Content-Length: %d" % len(body) in head
    assert b"X-Pod-Name: demo-1\r\n" in head
