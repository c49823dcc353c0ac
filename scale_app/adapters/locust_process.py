"""The load generator as a process of its own: importing Locust patches sockets and threads of whoever does it.

The process is never trusted to end by itself: it is killed when it is silent for long, overdue, or no longer listened
to. How long is long: `Patience` in `child_process.owner`.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator
from typing import cast

from scale_app.child_process import ProcessState, WaitClock, process_state
from scale_app.child_process.owner import LOOK_EVERY_S, ChildProcess, Patience, Watchdog
from scale_app.codec import from_json, to_json
from scale_app.domain.errors import GeneratorFailed, SettingsError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.samples import GeneratorNotice, LoadEnded, LoadReady, Sample
from scale_app.ports import Admitted, Clock, Load
from scale_app.settings import load_worker_listener

WORKER_MODULE = "scale_app.worker"
EXIT_GRACE_S = 2.0
WHY: dict[ProcessState, str] = {
    "runs": "its process is busy, or waits for a CPU",
    "sleeps": "its process is waiting",
    "stopped": "its process was stopped, for example by SIGSTOP",
    "ended": "its process is ending",
    "unknown": "the system gives no reason",
}
SILENT = (
    "The load generator did not report for {:g} s and was killed. This machine may be too busy; start again "
    "with fewer users."
)
OVERDUE = "The load generator did not end after its duration and was killed; the last second may be missing."
STOP_IGNORED = "The load generator did not stop when asked and was killed; the last seconds may be missing."
UNREADABLE = "The load generator sent a line that cannot be read and was killed; report this with the versions in use."


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
            workers = load_worker_listener() if plan.remote_workers else None
        except SettingsError as error:
            raise GeneratorFailed(str(error)) from None
        try:
            child = await ChildProcess.spawn(self._module, target.secrets.values())
        except OSError as error:
            raise GeneratorFailed(
                f"The load generator's process could not be started ({error}). "
                "Free memory or raise the process limit, then start again."
            ) from error
        try:
            where = {"url": target.url, "networks": target.networks, "one_port": target.one_port}
            # By the pipe alone: command lines and environments can be looked at from outside.
            told = {"plan": plan, "target": where, "secrets": target.secrets, "workers": workers}
            await child.send(to_json(told))
            ready = await self._first_word(child)
        except BaseException:  # a cancelled start, too, must leave no process behind
            await _put_down(child)
            raise
        return LocustLoad(child, plan, ready, self._clock, self._patience)

    async def _first_word(self, child: ChildProcess) -> LoadReady:
        line = await self._first_line(child)
        if not line:
            await child.end(EXIT_GRACE_S)
            raise GeneratorFailed(f"The load generator could not start: {_end_of(child)}.")
        try:
            return from_json(LoadReady, line)
        except ValueError:
            said = child.redact(repr(line[:200]))
            raise GeneratorFailed(f"The load generator could not start: it said {said}.") from None

    async def _first_line(self, child: ChildProcess) -> bytes:
        """b"" when it has ended."""
        left_s, waited = self._patience.ready_s, WaitClock(LOOK_EVERY_S, self._clock.monotonic_s())
        while left_s > 0:
            with contextlib.suppress(TimeoutError):
                return await child.line(min(left_s, LOOK_EVERY_S))
            left_s -= waited.passed_s(self._clock.monotonic_s())
        raise GeneratorFailed(
            f"The load generator was not ready within {self._patience.ready_s:g} s and was killed. "
            "This machine is too busy; start again with less running on it."
        )


class LocustLoad:
    """One run's process. See ports.Load."""

    def __init__(self, child: ChildProcess, plan: LoadPlan, ready: LoadReady, clock: Clock, patience: Patience) -> None:
        self._child = child
        self._plan = plan
        self._ready = ready
        self._clock = clock
        self._patience = patience
        now_s = clock.monotonic_s()
        self._watchdog = Watchdog(patience, now_s + plan.duration_s + plan.timeout_s, now_s)
        self._stop_asked = False
        self._killed = False

    @property
    def pid(self) -> int:
        return self._child.pid

    async def samples(self) -> AsyncIterator[Sample]:
        """See ports.Load. Closing or cancelling the iteration kills the process."""
        ended = False
        try:
            yield self._ready
            while not ended:
                for sample in await self._next():
                    ended = isinstance(sample, LoadEnded)
                    if ended:
                        await self._child.end(EXIT_GRACE_S)
                    yield sample
        finally:
            await _put_down(self._child)

    async def edit(self, edit: PlanEdit) -> None:
        """See ports.Load. Raises PlanError when the result cannot be run."""
        self._plan = self._plan.edited(edit)
        await self._child.send(to_json(edit))

    async def stop(self) -> None:
        self._stop_asked = True
        self._watchdog.asked_to_end(self._clock.monotonic_s() + self._plan.timeout_s)
        await self._child.send(b'{"stop": true}')

    async def kill(self) -> None:
        self._killed = True
        await _put_down(self._child)

    async def _next(self) -> list[Sample]:
        """What the process says next and what its silence says, or an end of our own when it says nothing usable."""
        try:
            line = await self._child.line(LOOK_EVERY_S)
            if not line.endswith(b"\n"):
                return [await self._gone()]
            heard = from_json(cast(type[Sample], Sample), line)
        except TimeoutError:
            return self._silent()
        except ValueError:
            return [self._ended(UNREADABLE)]
        return self._heard(heard)

    def _silent(self) -> list[Sample]:
        watchdog = self._watchdog
        watchdog.look(self._clock.monotonic_s())
        if watchdog.silent:
            return [self._ended(SILENT.format(self._patience.silence_s))]
        if watchdog.notable and not watchdog.overdue:
            watchdog.told = True
            return [self._silence()]
        return self._overdue()

    def _heard(self, sample: Sample) -> list[Sample]:
        watchdog = self._watchdog
        watchdog.look(self._clock.monotonic_s())
        back = [self._back_after(watchdog.silent_s)] if watchdog.told else []
        watchdog.heard()
        return [*back, sample, *([] if isinstance(sample, LoadEnded) else self._overdue())]

    def _overdue(self) -> list[Sample]:
        return [self._ended(STOP_IGNORED if self._stop_asked else OVERDUE)] if self._watchdog.overdue else []

    def _back_after(self, silent_s: float) -> GeneratorNotice:
        message = f"The load generator reports again, after {silent_s:.0f} s of silence."
        return GeneratorNotice(self._clock.monotonic_s(), message)

    def _silence(self) -> GeneratorNotice:
        return GeneratorNotice(
            self._clock.monotonic_s(),
            f"The load generator has not reported for {self._watchdog.silent_s:.0f} s: {WHY[process_state(self.pid)]}. "
            f"The run waits for it, at most {self._patience.silence_s:g} s.",
        )

    async def _gone(self) -> LoadEnded:
        await self._child.end(EXIT_GRACE_S)
        if self._killed:
            return self._ended("The load generator was killed on request; requests in flight were not counted.")
        return self._ended(f"The load generator's process ended early: {_end_of(self._child)}.")

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
