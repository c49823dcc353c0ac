"""The owner's two pipes under gevent: reading and writing lines never stops the load."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from gevent.os import make_nonblocking, nb_read, nb_write  # type: ignore[import-untyped]

from scale_app.codec import to_json
from scale_app.domain.samples import Sample

READ_BYTES = 65_536


class OwnerPipe:
    """Lines from the owner on standard input, samples to it on the pipe that used to be standard output."""

    def __init__(self, output: BinaryIO) -> None:
        self._output = output
        make_nonblocking(0)
        make_nonblocking(output.fileno())

    def lines(self) -> Iterator[bytes]:
        """Each line from the owner; ends when the owner closes its side or is gone."""
        rest = b""
        while data := nb_read(0, READ_BYTES):
            *complete, rest = (rest + data).split(b"\n")
            yield from complete

    def say(self, sample: Sample) -> None:
        """Send one sample. Without an owner to read it there is nothing left to do: the process ends."""
        data = memoryview(to_json(sample, Sample) + b"\n")
        try:
            while data:
                data = data[nb_write(self._output.fileno(), data) :]
        except OSError:
            os._exit(1)
