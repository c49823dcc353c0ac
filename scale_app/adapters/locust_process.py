"""The load generator as a process of its own: importing Locust patches sockets and threads of whoever does it.

The process is never trusted to end by itself: it is killed when it is silent, overdue, or no longer listened to.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass

from scale_app.child_process.owner import ChildProcess
from scale_app.codec import from_json, to_json
from scale_app.domain.errors import GeneratorFailed
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady, Sample
from scale_app.ports import Admitted, Clock, Load

WORKER_MODULE = "scale_app.worker"
EXIT_GRACE_S = 2.0
UNREADABLE = "The load generator sent a line that cannot be read and was killed; report this with the versions in use."


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the process is waited for.

    ready_s: from its start to its first word. silence_s: between two samples. overdue_s: beyond the plan's
    duration and timeout, or beyond the timeout after a stop.
    """

    ready_s: float = 30.0
    silence_s: float = 10.0
    overdue_s: float = 15.0


class LocustProcess:
    """Starts one process for each run. module: what it runs, other than the worker only in tests."""

    def __init__(self, clock: Clock, patience: Patience | None = None, module: str = WORKER_MODULE) -> None:
        self._clock = clock
        self._patience = patience or Patience()
        self._module = module

    async def start(self, plan: LoadPlan, target: Admitted) -> Load:
        """Start a process and wait until it is ready. Raises GeneratorFailed; no process is left then.

        The caller must iterate `samples()` or call `kill()`.
        """
        try:
            child = await ChildProcess.spawn(self._module)
        except OSError as error:
            raise GeneratorFailed(
                f"The load generator's process could not be started ({error}). "
                "Free memory or raise the process limit, then start again."
            ) from error
        lines = child.lines()
        try:
            await child.send(to_json({"plan": plan, "target": {"url": target.url, "networks": target.networks}}))
            ready = await self._first_word(child, lines)
        except BaseException:  # a cancelled start, too, must leave no process behind
            await _put_down(child)
            raise
        return LocustLoad(child, lines, plan, ready, self._clock, self._patience)

    async def _first_word(self, child: ChildProcess, lines: AsyncIterator[bytes]) -> LoadReady:
        try:
            line = await asyncio.wait_for(anext(lines, None), self._patience.ready_s)
        except TimeoutError:
            raise GeneratorFailed(
                f"The load generator was not ready within {self._patience.ready_s:g} s and was killed. "
                "This machine is too busy; start again with less running on it."
            ) from None
        if line is None:
            await child.end(EXIT_GRACE_S)
            raise GeneratorFailed(f"The load generator could not start: {_end_of(child)}.")
        try:
            return from_json(LoadReady, line)
        except ValueError:
            raise GeneratorFailed(f"The load generator could not start: it said {line[:200]!r}.") from None


class LocustLoad:
    """One run's process. See ports.Load."""

    def __init__(
        self,
        child: ChildProcess,
        lines: AsyncIterator[bytes],
        plan: LoadPlan,
        ready: LoadReady,
        clock: Clock,
        patience: Patience,
    ) -> None:
        self._child = child
        self._lines = lines
        self._plan = plan
        self._ready = ready
        self._clock = clock
        self._patience = patience
        self._overdue_at_s = clock.monotonic_s() + plan.duration_s + plan.timeout_s + patience.overdue_s
        self._killed = False

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._child.pid

    async def samples(self) -> AsyncIterator[Sample]:
        """See ports.Load. Closing or cancelling the iteration kills the process."""
        sample: Sample = self._ready
        try:
            yield sample
            while not isinstance(sample, LoadEnded):
                sample = await self._next()
                if isinstance(sample, LoadEnded):
                    await self._child.end(EXIT_GRACE_S)
                yield sample
        finally:
            await _put_down(self._child)

    async def edit(self, edit: PlanEdit) -> None:
        """See ports.Load. Raises PlanError when the result cannot be run."""
        self._plan = self._plan.edited(edit)
        await self._child.send(to_json(edit))

    async def stop(self) -> None:
        """See ports.Load."""
        latest_s = self._clock.monotonic_s() + self._plan.timeout_s + self._patience.overdue_s
        self._overdue_at_s = min(self._overdue_at_s, latest_s)
        await self._child.send(b'{"stop": true}')

    async def kill(self) -> None:
        """See ports.Load."""
        self._killed = True
        await _put_down(self._child)

    async def _next(self) -> Sample:
        """What the process says next, or an end of our own when it says nothing usable."""
        try:
            line = await asyncio.wait_for(anext(self._lines, None), self._patience_left_s())
            return await self._gone() if line is None else from_json(Sample, line)  # type: ignore[arg-type]
        except TimeoutError:
            return self._ended(self._lateness())
        except ValueError:
            return self._ended(UNREADABLE)

    def _patience_left_s(self) -> float:
        left_s = self._overdue_at_s - self._clock.monotonic_s()
        return max(0.0, min(self._patience.silence_s, left_s))

    def _lateness(self) -> str:
        if self._clock.monotonic_s() >= self._overdue_at_s:
            return (
                "The load generator did not end when its time was over and was killed; the last second may be missing."
            )
        return (
            f"The load generator said nothing for {self._patience.silence_s:g} s and was killed. "
            "This machine may be too busy; start again with fewer users."
        )

    async def _gone(self) -> LoadEnded:
        await self._child.end(EXIT_GRACE_S)
        if self._killed:
            return self._ended("The load generator was killed as asked; requests in flight were not counted.")
        return self._ended(f"The load generator's process went away before the end: {_end_of(self._child)}.")

    def _ended(self, error: str) -> LoadEnded:
        self._child.kill()
        return LoadEnded(self._clock.monotonic_s(), error)


async def _put_down(child: ChildProcess) -> None:
    """Kill and reap. Idempotent."""
    child.kill()
    await child.end(EXIT_GRACE_S)


def _end_of(child: ChildProcess) -> str:
    """How it ended, for people: "killed by SIGKILL", "exit code 1 (ImportError: ...)"."""
    code = child.exit_code
    if code is None:
        how = "it closed its side"
    elif code < 0:
        how = f"killed by {_signal_name(-code)}"
    else:
        how = f"exit code {code}"
    tail = child.error_tail
    return f"{how} ({tail.rstrip('.')})" if tail else how


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
