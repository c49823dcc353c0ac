"""The owner's side: start a child, exchange lines with it, see whether it hangs, make sure it is gone afterwards.

That a child has died is known at once, by its pipe. One that lives and says nothing was stopped, sleeps with its
machine or waits for a CPU; most of these go on. So people are told of silence soon, and the process is given up late.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from scale_app.child_process import WaitClock
from scale_app.domain.redaction import Redaction

LINE_LIMIT_BYTES = 64 * 2**20
ERROR_TAIL_BYTES = 4_000
LOOK_EVERY_S = 0.5
SPEAKS_S = 3.0
"""A child that was heard so lately is not silent."""
OURS = "SCALE_"
NEEDED = frozenset({"SCALE_LOCUSTFILES"})
"""The settings that a child reads. The others hold the secrets of the identity provider, the database, the workers and
chat rooms, which are no business of a load generator, that may execute a locustfile."""


class ChildProcess:
    """A child that runs `python -m <module> <owner pid>`, reads lines on stdin and writes lines on stdout.

    It must end when stdin closes. Its standard error is kept (the last 4,000 bytes) for the error that people see.
    """

    def __init__(self, process: Process, redact: Redaction) -> None:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        self._process = process
        self.redact = redact
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._tail = b""
        self._errors = asyncio.create_task(self._collect_errors())

    @classmethod
    async def spawn(cls, module: str, secrets: Collection[str] = ()) -> ChildProcess:
        """Start the module, with none of the server's settings but NEEDED. Raises OSError when the system refuses a
        process.

        secrets: values that it will be sent, which are kept out of what it says.
        """
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS) or name in NEEDED}
        environment = kept | {"PYTHONUNBUFFERED": "1"}
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
        return cls(process, Redaction(secrets))

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
        return self.redact(lines[-1].strip()) if lines else ""

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


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the child is waited for. Only time in which its owner could listen counts, see `WaitClock`.

    ready_s: from its start to its first report. notice_s: silence after which people are told. silence_s: silence
    after which it is given up. overdue_s: how long it may go on after the time at which it should have ended; also the
    silence after which it is given up once it was asked to end.
    """

    ready_s: float = 30.0
    notice_s: float = 5.0
    silence_s: float = 60.0
    overdue_s: float = 15.0


class Watchdog:
    """Call `look` at least every LOOK_EVERY_S seconds, and `heard` when the child has spoken.

    silent_s: since the child was heard. told: people were told of this silence.
    """

    def __init__(self, patience: Patience, due_s: float, now_s: float) -> None:
        """due_s: when the child has ended at the latest if all goes well; the same clock as now_s."""
        self._patience = patience
        self._due_s = due_s
        self._waited = WaitClock(LOOK_EVERY_S, now_s)
        self._overdue_s = 0.0
        self._asked = False
        self.silent_s = 0.0
        self.told = False

    def asked_to_end(self, due_s: float) -> None:
        """The child was asked to end, and should have by then."""
        self._asked = True
        self._due_s = min(self._due_s, due_s)

    def look(self, now_s: float) -> None:
        passed_s = self._waited.passed_s(now_s)
        self.silent_s += passed_s
        if now_s >= self._due_s and (self._asked or self.silent_s < SPEAKS_S):
            self._overdue_s += passed_s

    def heard(self) -> None:
        self.silent_s = 0.0
        self.told = False

    @property
    def notable(self) -> bool:
        """It is time to tell people of the silence."""
        return not self.told and self.silent_s >= self._patience.notice_s

    @property
    def silent(self) -> bool:
        """The child is given up because it says nothing."""
        return self.silent_s >= self._patience.silence_s

    @property
    def overdue(self) -> bool:
        """The child is given up because it should have ended, or was asked to end and is silent.

        A child that waits for requests in flight is not silent: it reports every second.
        """
        most_s = self._patience.overdue_s
        return self._overdue_s >= most_s or (self._asked and self.silent_s >= most_s)
