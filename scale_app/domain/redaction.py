"""Keeps known values out of texts: a target may say back what it was sent, as it was or written in another way."""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from posixpath import commonprefix
from urllib.parse import quote, quote_plus

MARK = "[secret]"
HEAD = 8
"""Characters by which a value is known. Were any 8 of it enough, who knows some could find out the next one by trying:
`eyJhbGci` begins many a token, and a target that says back what it gets would show which guess is replaced."""
_LOWER = {ord(upper): upper.lower() for upper in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
_WORD = re.compile(r"\S*")
_SPACE = re.compile(r"\s")
_BETWEEN = re.compile(r"[\s:.,;]+")


class Redaction:
    """Replaces what begins like a value, of at least 8 characters, up to the end of the word; upper or lower case.

    As it is, or escaped for a URL, JSON or HTML, in base64 at any place of a longer text, in hexadecimal; what a value
    in base64 says; and what is behind its first words, such as a token without its scheme. It helps
    against a target that says back what it got: one that means to tell can write it in other ways.
    """

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: dict[str, list[str]] = {}
        for form in {form.translate(_LOWER) for value in values for form in _forms(value)}:
            if len(form) >= HEAD:
                self._forms.setdefault(form[:HEAD], []).append(form)
        # Others end with the word in which they begin, so that nothing is to be done for those inside of another.
        self._spaced = {head for head, forms in self._forms.items() if any(_SPACE.search(form) for form in forms)}

    def __call__(self, text: str) -> str:
        """The text without any of the values. Costs nothing without values."""
        if not self._forms or len(text) < HEAD:
            return text
        low, forms = text.translate(_LOWER), self._forms
        found = [at for at in range(len(low) - HEAD + 1) if low[at : at + HEAD] in forms]
        return self._replaced(text, low, found) if found else text

    def _replaced(self, text: str, low: str, found: list[int]) -> str:
        """found: where values begin, in order."""
        said, end = "", 0
        for at in found:
            if at >= end:
                said += text[end:at] + MARK
                end = self._end(low, at)
            elif low[at : at + HEAD] in self._spaced:
                end = max(end, self._end(low, at))
        return said + text[end:]

    def _end(self, low: str, at: int) -> int:
        """Where the value ends that begins here, and the word that it ends in."""
        alike = max(len(commonprefix([form, low[at : at + len(form)]])) for form in self._forms[low[at : at + HEAD]])
        word = _WORD.match(low, at + alike)
        return word.end() if word else at + alike


def _forms(value: str) -> Iterator[str]:
    starts = [0, *(found.end() for found in _BETWEEN.finditer(value))]
    for text in {_password(value), *(value[start:] for start in starts)}:
        yield text
        yield from (quote(text, safe=""), quote(text), quote_plus(text))
        yield from (json.dumps(text)[1:-1], html.escape(text), text.encode().hex())
        yield from _base64_of(text.encode())


def _password(value: str) -> str:
    """What it says in base64, as in Basic authentication, without the user's name; "" when it is none."""
    try:
        text = base64.b64decode(value.split()[-1], validate=True).decode()
    except (binascii.Error, ValueError, IndexError):
        return ""
    return text.partition(":")[2] or text


def _base64_of(value: bytes) -> Iterator[str]:
    """Those characters that the value alone decides, for each of its three places in a longer text."""
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(before) + value).decode().rstrip("=")
        text = text[skipped : len(text) - bool((before + len(value)) % 3)]
        yield text
        yield text.translate({ord("+"): "-", ord("/"): "_"})
