"""Pods that are named in the answers' JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.worker.answer import MOST_BODY_BYTES, JsonAnswerReader, field_of


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


KEYS = st.lists(st.text(max_size=9), min_size=1, max_size=4)


@given(st.text(max_size=50) | st.integers(), KEYS)
def test_any_text_or_whole_number_is_found_however_deep_it_is(value: str | int, keys: list[str]) -> None:
    body: object = value
    for key in reversed(keys):
        body = {key: body, key + "x": "another"}
    assert field_of(json.dumps(body).encode(), keys) == str(value).encode()
    assert field_of(json.dumps(body).encode(), [*keys, "deeper"]) == b""


@given(st.none() | st.booleans() | st.floats() | st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()))
def test_a_value_that_is_no_name_names_none(value: object) -> None:
    assert field_of(json.dumps({"a": value}).encode(), ("a",)) == b""


@given(st.binary(max_size=200))
def test_bytes_that_are_no_json_object_name_none(noise: bytes) -> None:
    assert field_of(b"x" + noise, ("a", "b")) == b""
    assert field_of(b'{"a":' + noise, ("a",)) == b""
