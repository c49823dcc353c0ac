"""The owner's two pipes under gevent: reading and writing lines never stops the load.

One greenlet writes, so that a line is whole and in its turn however slowly the owner reads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO

import gevent  # type: ignore[import-untyped]
from gevent.os import make_nonblocking, nb_read, nb_write  # type: ignore[import-untyped]

from scale_app.codec import to_json
from scale_app.domain.samples import Sample

READ_BYTES = 65_536


class OwnerPipe:
    """Lines from the owner on standard input, samples to it on the pipe that used to be standard output."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        self._unsaid: deque[bytes] = deque()
        self._writing: gevent.Greenlet | None = None
        make_nonblocking(0)
        make_nonblocking(output.fileno())

    def lines(self) -> Iterator[bytes]:
        """Each line from the owner; ends when the owner closes its side or is gone."""
        rest = b""
        while data := nb_read(0, READ_BYTES):
            *complete, rest = (rest + data).split(b"\n")
            yield from complete

    def say(self, sample: Sample) -> None:
        """Send one sample after those before it. Returns at once; also for callbacks of the event loop."""
        self._unsaid.append(to_json(sample, Sample) + b"\n")
        if self._writing is None or self._writing.ready():
            self._writing = gevent.spawn(self._write)

    def flush(self) -> None:
        """Wait until the owner has taken everything that was said, however long that takes."""
        if self._writing is not None:
            self._writing.join()

    def _write(self) -> None:
        """Without an owner to read it there is nothing left to do: the process ends."""
        try:
            while self._unsaid:
                data = memoryview(self._unsaid.popleft())
                while data:
                    data = data[nb_write(self._output.fileno(), data) :]
        except OSError:
            os._exit(1)
