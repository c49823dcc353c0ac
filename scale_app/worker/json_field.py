"""Answers whose JSON body names the pod, where no header does."""

from __future__ import annotations

import json
from collections.abc import Sequence

from scale_app.worker.answer import AnswerReader

MOST_BODY_BYTES = 256 * 1024


class JsonAnswerReader(AnswerReader):
    """keys: the field in the body, one key inside the other. A body that is too large or no JSON names no pod."""

    __slots__ = ("_body", "_keys")

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = tuple(keys)
        self._body = bytearray()
        super().__init__("")

    def named(self) -> bytes:
        """The field's text, b"" without one."""
        return field_of(bytes(self._body), self._keys) if len(self._body) == self.body_bytes else b""

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if len(self._body) + len(body) <= MOST_BODY_BYTES:
            self._body += body

    def _forget(self) -> None:
        super()._forget()
        self._body.clear()


def field_of(body: bytes, keys: Sequence[str]) -> bytes:
    """A text or whole number in a JSON object, as bytes; b"" when it is not there."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return b""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return b""
    return str(value).encode("utf-8", "replace")
