"""Pods that are named in the answers' JSON."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.worker.json_field import MOST_BODY_BYTES, JsonAnswerReader, field_of


def _named(body: bytes, keys: tuple[str, ...] = ("pod", "name")) -> bytes:
    reader = JsonAnswerReader(keys)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    for i in range(0, len(head + body), 50_000):
        reader.feed((head + body)[i : i + 50_000])
    assert reader.complete
    return reader.named()


def test_the_field_names_the_pod() -> None:
    assert _named(b'{"pod":{"name":"cart-1"},"ok":true}') == b"cart-1"
    assert _named(b'{"pod":7}', ("pod",)) == b"7"


@pytest.mark.parametrize("body", [b"", b"ok", b"[]", b'{"pod":"x"}', b'{"pod":{"name":true}}', b"{" * 9_000, b"\xff"])
def test_a_body_without_the_field_names_none(body: bytes) -> None:
    assert _named(body) == b""


def test_a_body_that_is_too_large_names_none() -> None:
    assert _named(b'{"pod":{"name":"a"}}' + b" " * MOST_BODY_BYTES) == b""


def test_each_answer_of_a_connection_is_read_by_itself() -> None:
    reader = JsonAnswerReader(("pod",))
    for name in (b"a", b"b"):
        reader.expect()
        body = b'{"pod":"%s"}' % name
        assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        assert reader.named() == name


@given(st.binary(max_size=200))
def test_any_body_is_read_without_an_error(body: bytes) -> None:
    field_of(body, ("a", "b"))
    field_of(b'{"a":' + body + b"}", ("a",))
