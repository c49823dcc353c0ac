"""The owner's side: start a child, exchange lines with it, and make sure it is gone afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator

LINE_LIMIT_BYTES = 64 * 2**20
ERROR_TAIL_BYTES = 4_000


class ChildProcess:
    """A child that runs `python -m <module> <owner pid>`, reads lines on stdin and writes lines on stdout.

    It must end when stdin closes. Its standard error is kept (the last 4,000 bytes) for the error that people see.
    """

    def __init__(self, process: Process) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._tail = b""
        self._errors = asyncio.create_task(self._collect_errors())

    @classmethod
    async def spawn(cls, module: str) -> ChildProcess:
        """Start the module. Raises OSError when the system refuses a process."""
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(os.getpid()),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            limit=LINE_LIMIT_BYTES,
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    @property
    def error_tail(self) -> str:
        """The last line that the child wrote to standard error, or ""."""
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    async def send(self, line: bytes) -> None:
        """One line to the child; silently dropped when it has ended (its end is reported by `lines`)."""
        with contextlib.suppress(ConnectionError):
            self._stdin.write(line.rstrip(b"\n") + b"\n")
            await self._stdin.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        """Every line the child writes, until it closes its side."""
        while line := await self.line():
            yield line

    async def line(self, within_s: float | None = None) -> bytes:
        """The next line, b"" once the child has closed its side. Raises TimeoutError; nothing is lost by that."""
        async with asyncio.timeout(within_s):
            return await self._stdout.readline()

    async def end(self, grace_s: float) -> int:
        """Close stdin, wait, then SIGKILL. Returns the exit code; the child is reaped. Idempotent."""
        self._stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), grace_s)
        except TimeoutError:
            self.kill()
        code = await self._process.wait()
        await self._errors
        return code

    def kill(self) -> None:
        """SIGKILL at once. Idempotent."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _collect_errors(self) -> None:
        while chunk := await self._stderr.read(4_096):
            self._tail = (self._tail + chunk)[-ERROR_TAIL_BYTES:]
