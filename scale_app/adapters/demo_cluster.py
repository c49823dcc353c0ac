"""The built-in target as the service sees it: started on first use, changed while load runs, gone on close.

Its process is replaced on the next use when it has died. A new process begins with the defaults, at a new address.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import count

from scale_app.child_process.owner import ChildProcess
from scale_app.codec import from_json, to_json
from scale_app.domain.demo import DemoChange, DemoCommand, DemoReport, DemoStatus
from scale_app.domain.errors import PlanError, TargetGone, TargetUnavailable, named
from scale_app.domain.samples import PodsSample, Sample
from scale_app.ports import Admitted, Clock

log = logging.getLogger(__name__)
MODULE = "scale_app.demo"
START_LIMIT_S = 10.0
ANSWER_LIMIT_S = 5.0
END_GRACE_S = 1.0

CLOSED = "The demo is closed because the server is shutting down. Start the server again."

Watcher = asyncio.Queue[PodsSample | None]


class DemoProcess:
    """One demo process: questions and answers over its pipe, and everyone who watches its pods.

    Made by `start`; `end` must be called. lost: the sentence that says why it is gone, "" while it runs.
    """

    def __init__(self, child: ChildProcess, clock: Clock) -> None:
        self.lost = ""
        self._child = child
        self._clock = clock
        self._ending = False
        self._numbers = count(1)
        self._questions: dict[int, asyncio.Future[DemoReport]] = {}
        self._watchers: set[Watcher] = set()
        self._begun = asyncio.Event()
        self._latest: DemoStatus | None = None
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls, module: str, limit_s: float, clock: Clock) -> DemoProcess:
        """A demo that listens. Raises TargetUnavailable, and leaves no process, when it does not within limit_s."""
        try:
            child = await ChildProcess.spawn(module)
        except OSError as error:
            raise TargetUnavailable(
                f"The demo's process ({module}) could not be started: {error}. "
                "Free memory or processes on this machine and try again."
            ) from error
        process = cls(child, clock)
        try:
            await asyncio.wait_for(process._begun.wait(), limit_s)
            if process._latest is None:
                raise TargetUnavailable(process.lost)
        except TimeoutError:
            await process.end()
            raise TargetUnavailable(
                f"The demo's process ({module}) was started but did not say within {limit_s:g} s where it "
                "listens. Try again when this machine is less busy."
            ) from None
        except BaseException:
            await process.end()
            raise
        return process

    @property
    def url(self) -> str:
        assert self._latest is not None
        return self._latest.url

    async def ask(self, change: DemoChange | None) -> DemoReport:
        """Send a command and wait for its report. Raises TargetUnavailable."""
        if self.lost:
            raise TargetUnavailable(self.lost)
        command = DemoCommand(next(self._numbers), change)
        answer: asyncio.Future[DemoReport] = asyncio.get_running_loop().create_future()
        self._questions[command.number] = answer
        try:
            async with asyncio.timeout(ANSWER_LIMIT_S):
                await self._child.send(to_json(command))
                return await answer
        except TimeoutError:
            raise TargetUnavailable(
                f"The demo at {self.url} did not answer a command within {ANSWER_LIMIT_S:g} s. "
                "Try again when this machine is less busy."
            ) from None
        finally:
            del self._questions[command.number]

    async def pods(self) -> AsyncGenerator[Sample, None]:
        """Pods, Service and counts, now and on each change, until its end. Raises TargetGone when it dies."""
        heard: Watcher = asyncio.Queue()
        self._watchers.add(heard)
        try:
            yield self._sample()
            while sample := await heard.get():
                yield sample
        finally:
            self._watchers.discard(heard)
        if not self._ending:
            raise TargetGone(self.lost)

    async def end(self) -> None:
        """The process is gone when this returns, and whoever watches is let go. Idempotent."""
        self._ending = True
        await self._child.end(END_GRACE_S)
        await asyncio.shield(self._listening)

    def _sample(self) -> PodsSample:
        assert self._latest is not None
        latest = self._latest
        # Meant to get the same share as the others, whatever the policy does.
        pods = tuple(replace(pod, weight=1.0) for pod in latest.pods)
        return PodsSample(self._clock.monotonic_s(), pods, latest.service, latest.answered)

    async def _listen(self) -> None:
        trouble = "ended"
        try:
            async for line in self._child.lines():
                self._hear(from_json(DemoReport, line))
        except ValueError as error:
            trouble = f"sent something that is not a report ({str(error).splitlines()[0]})"
            self._child.kill()
        except Exception as error:
            log.exception("the built-in target is no longer followed")
            trouble = f"could not be followed because of an unexpected error ({named(error)})"
            self._child.kill()
        await self._lose(trouble)

    def _hear(self, report: DemoReport) -> None:
        before, self._latest = self._latest, report.status
        if before and before != report.status:
            self._tell_watchers(self._sample())
        self._begun.set()
        question = self._questions.get(report.reply_to) if report.reply_to is not None else None
        if question and not question.done():
            question.set_result(report)

    def _tell_watchers(self, sample: PodsSample | None) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(sample)

    async def _lose(self, trouble: str) -> None:
        code = await self._child.end(END_GRACE_S)
        detail = f"exit code {code}" + (f": {self._child.error_tail}" if self._child.error_tail else "")
        died = f"The demo's process {trouble} ({detail}). It starts again on the next use: try again."
        self.lost = CLOSED if self._ending else died
        self._begun.set()
        for question in self._questions.values():
            if not question.done():
                question.set_exception(TargetUnavailable(self.lost))
        self._tell_watchers(None)


class DemoCluster:
    """Fulfils Demo and PodDirectory. Safe to use from many tasks of one event loop; `close` it at the end."""

    def __init__(self, clock: Clock, *, module: str = MODULE, start_limit_s: float = START_LIMIT_S) -> None:
        self._clock = clock
        self._module = module
        self._start_limit_s = start_limit_s
        self._starting = asyncio.Lock()
        self._process: DemoProcess | None = None
        self._closed = False

    async def url(self) -> str:
        """Where the demo listens; starts it. Raises TargetUnavailable."""
        return (await self._running()).url

    async def status(self) -> DemoStatus:
        """The demo with its pods' own counts at this moment. Raises TargetUnavailable."""
        return (await self._ask(None)).status

    async def change(self, change: DemoChange) -> DemoStatus:
        """Apply a change at once; raises PlanError when the pod to kill does not exist, and TargetUnavailable."""
        report = await self._ask(change)
        if report.refusal:
            raise PlanError(report.refusal.field, report.refusal.value, report.refusal.accepted)
        return report.status

    async def watch(self, target: Admitted) -> AsyncGenerator[Sample, None]:
        """The pods now and on each change; ends with `close`. Raises TargetGone when the demo's process dies."""
        process = await self._running()
        if process.url != target.url:  # another one, begun since the target was admitted: nothing is sent to its pods
            raise TargetGone(f"The demo at {target.url} ended before the run started. Start the run again.")
        async with aclosing(process.pods()) as samples:
            async for sample in samples:
                yield sample

    async def close(self) -> None:
        """End the process, if any; afterwards nothing starts it again. Idempotent."""
        self._closed = True
        async with self._starting:
            if self._process:
                await self._process.end()

    async def _ask(self, change: DemoChange | None) -> DemoReport:
        process = await self._running()
        try:
            return await process.ask(change)
        except TargetUnavailable:
            if not process.lost or self._closed:
                raise
        # It had died before it could be noticed, which is what the restart on the next use is for.
        return await (await self._running()).ask(change)

    async def _running(self) -> DemoProcess:
        async with self._starting:
            if self._closed:
                raise TargetUnavailable(CLOSED)
            if self._process is None or self._process.lost:
                self._process = await DemoProcess.start(self._module, self._start_limit_s, self._clock)
            return self._process
