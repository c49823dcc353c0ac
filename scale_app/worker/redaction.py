"""What this process may not say: the values of its secrets, in names, causes, sentences, messages and printed lines.

Each of these passes here before it leaves the process. New ones are rare: no request costs anything.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from typing import Any, TextIO

from scale_app.domain.redaction import Redaction

LONGEST_LINE = 65_536


class ProcessRedaction:
    """All values that this process has had, those of earlier runs too."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._redact = Redaction()

    def keep_out(self, values: Iterable[str]) -> None:
        """From now on these are not said."""
        if not self._values.issuperset(values := set(values)):
            self._values |= values
            self._redact = Redaction(self._values)

    def __call__(self, text: str) -> str:
        """The text without the values."""
        return self._redact(text)

    def all_of(self, value: Any) -> Any:
        """The same for every text in a message's dicts and lists."""
        if not self._values:
            return value
        if isinstance(value, str):
            return self._redact(value)
        if isinstance(value, Mapping):
            return {self.all_of(key): self.all_of(inner) for key, inner in value.items()}
        return [self.all_of(inner) for inner in value] if isinstance(value, (list, tuple)) else value


redacted = ProcessRedaction()


class RedactedStream(io.TextIOBase):
    """A stream of text, line by line without the values: a value may come in pieces."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._line = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def write(self, text: str) -> int:
        whole, newline, self._line = (self._line + text).rpartition("\n")
        if newline:
            self._stream.write(redacted(whole) + newline)
        if len(self._line) > LONGEST_LINE:
            self.flush()
        return len(text)

    def flush(self) -> None:
        """Write what has no end of line yet, too."""
        self._stream.write(redacted(self._line))
        self._line = ""
        self._stream.flush()


def redact_streams() -> None:
    """What is printed or logged from now on passes here; call it before anything is logged."""
    sys.stdout, sys.stderr = RedactedStream(sys.stdout), RedactedStream(sys.stderr)
