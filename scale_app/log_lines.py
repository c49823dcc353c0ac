"""How every process of ours writes its log: one event, one line, without anything that a terminal obeys.

What is logged may quote strangers: a path, a name, an answer. A line break in it would look like another line of the
log, an escape sequence would paint the terminal. Tracebacks keep their lines, each behind a bar.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

MOST_CHARACTERS = 4_000
BAR = "  | "
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, other line breaks, what turns the direction of a text, and what cannot be written."""
KEEPS_LINES = re.compile(rf"(?![\t\n]){CONTROL.pattern}")
OF_THE_PAGE = ("reflex", "reflex_base", "engineio", "socketio")
"""Loggers of what reads the page's socket. Whoever can connect can make them speak."""
WITH_HANDLERS = ("engineio.server", "socketio.server")
"""They write by a handler of their own, unless a level was set before."""
MOST_OF_THE_PAGE = 300
MOST_A_MINUTE, MINUTE_S = 60, 60.0
ROOT = f"{Path(__file__).parents[1]}/"
OWN_FRAME = re.compile(f'File "{re.escape(ROOT)}(scale_app/[^"]+)", line ([0-9]+), in (.+)')
TRACEBACK = "Traceback (most recent call last)"


class LogLines(logging.Formatter):
    """Escapes what a terminal would obey, and puts a bar before every further line."""

    def format(self, record: logging.LogRecord) -> str:
        """The message in one line, and of an error its traceback."""
        line = _cut(escaped(record.getMessage()), MOST_CHARACTERS)
        if not record.exc_info or not record.exc_info[1]:
            return line
        text = "".join(traceback.format_exception(record.exc_info[1])).rstrip("\n")
        return "\n".join([line, *(BAR + escaped(part) for part in text.split("\n"))])


class PageEvents(logging.Filter):
    """What a message over a page's socket led to is one short sentence: no traceback, and not all that was sent.

    Whoever has the page open can send as many as it likes, so only some a minute are told, and the number of the rest.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now_s = now_s
        self._ends_s, self._met = now_s() + MINUTE_S, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """True for a record to be told; one about the page is changed."""
        if record.name.partition(".")[0] not in OF_THE_PAGE:
            return True
        error = record.exc_info[1] if record.exc_info else None
        said = _cut(_of_error(error) if error else _without_traceback(record.getMessage().strip()), MOST_OF_THE_PAGE)
        record.msg, record.args, record.exc_info = f"Page event: {said}{self._left_out()}", (), None
        self._met += 1
        return self._met <= MOST_A_MINUTE

    def _left_out(self) -> str:
        """How many were not told in the minute that is over, "" while it goes on."""
        if self._now_s() < self._ends_s:
            return ""
        left_out, self._met, self._ends_s = self._met - MOST_A_MINUTE, 0, self._now_s() + MINUTE_S
        return f" ({left_out:,} more before)" if left_out > 0 else ""


def write_log(level: int, stream: TextIO | None = None) -> None:
    """Write what this process logs, from this level on, to standard error in such lines."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(LogLines())
    handler.addFilter(PageEvents())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in WITH_HANDLERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def escaped(text: str) -> str:
    """The text with every character that a terminal obeys written as Python writes it: \\x1b."""
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)


def harmless(text: str) -> str:
    """A text of several lines as a terminal may show it: line ends stay, and what it obeys is a mark."""
    return KEEPS_LINES.sub("\ufffd", text)


def _of_error(error: BaseException) -> str:
    """Its kind and text, and where in our own code it came from."""
    return _with_place(f"{type(error).__name__}: {error}", "".join(traceback.format_tb(error.__traceback__)))


def _without_traceback(text: str) -> str:
    """The same where somebody made a text of the error before."""
    return _with_place(text.splitlines()[-1], text) if TRACEBACK in text else text


def _with_place(said: str, frames: str) -> str:
    own = OWN_FRAME.findall(frames)
    place = " ({}:{} in {})".format(*own[-1]) if own else ""
    return f"{_cut(said, MOST_OF_THE_PAGE - len(place))}{place}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
