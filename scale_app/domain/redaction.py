"""Keeps known values out of texts: a target may say back what it was sent, as it was or written in another way."""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

MARK = "[secret]"
PIECE = 8
"""Characters. So many of a value, in a row, are replaced wherever they stand: texts are cut."""
_LOWER = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class Redaction:
    """Replaces values of at least 8 characters, and pieces of them as long as that, by a mark; upper or lower case.

    As they are, or escaped for a URL, JSON or HTML, in base64 at any place of a longer text, in hexadecimal; and what a
    value in base64 says. It helps against a target that says back what it got: one that means to tell can write it in
    other ways.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form.translate(_LOWER) for value in values for form in _forms(value)}
        self._pieces = frozenset(form[at : at + PIECE] for form in forms for at in range(len(form) - PIECE + 1))

    def __call__(self, text: str) -> str:
        """The text without any of the values. Costs nothing without values, else about 0.1 µs for each character."""
        if not self._pieces or len(text) < PIECE:
            return text
        low, pieces = text.translate(_LOWER), self._pieces
        found = [at for at in range(len(low) - PIECE + 1) if low[at : at + PIECE] in pieces]
        return _replaced(text, found) if found else text


def _replaced(text: str, found: list[int]) -> str:
    """The text with a mark for each stretch that the pieces cover. found: where pieces begin, in order."""
    said, end = "", 0
    for at in found:
        if at > end or not said:
            said += text[end:at] + MARK
        end = at + PIECE
    return said + text[end:]


def _forms(value: str) -> Iterator[str]:
    plain = (value, *_said_by(value))
    for text in plain:
        yield text
        yield from (quote(text, safe=""), quote(text), quote_plus(text))
        yield from (json.dumps(text)[1:-1], html.escape(text), text.encode().hex())
        yield from _base64_of(text.encode())


def _said_by(value: str) -> Iterator[str]:
    """What base64 says, as in Basic authentication: whole, and what is behind a colon."""
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, ValueError):
        return
    yield text
    yield text.partition(":")[2]


def _base64_of(value: bytes) -> Iterator[str]:
    """Those characters that the value alone decides, for each of its three places in a longer text."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(before) + value).decode().rstrip("=")
        text = text[skipped : len(text) - bool((before + len(value)) % 3)]
        yield text
        yield text.translate({ord("+"): "-", ord("/"): "_"})
