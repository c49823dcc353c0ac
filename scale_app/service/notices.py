"""Tells receivers outside of alerts. It watches like every other viewer, so no run ever waits for it.

Each receiver has its own queue: one that hangs or is gone holds up neither the runs nor the other receivers.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections import deque
from collections.abc import Callable
from pathlib import Path

from scale_app.domain.errors import NotifyFailed, RunNotFound, StoreUnavailable, named
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated, StateChanged
from scale_app.domain.notice import AlertEvent, Notice, end_notice, notice_of, summed_up
from scale_app.domain.record import RunRecord
from scale_app.ports import Clock, Notifier
from scale_app.service.run_queries import RunQueries
from scale_app.service.tasks import Sleep, cancelled, first_of, late_after

log = logging.getLogger(__name__)
MOST_PER_MINUTE = 4
MINUTE_S = 60.0
SEND_LIMIT_S = 30.0
"""One try may take so long, whatever its receiver does."""
BACK_OFF_S = (1.0, 4.0)
"""Seconds before the second and the third try; there is no fourth."""

PAUSE_S = 1.0
"""After an error of Scale's own, before it goes on."""
NOT_TOLD = "A message on run {run_id} ({kind}) was not delivered because of an error inside Scale ({error})."


class Outbox:
    """What waits for one receiver: of each run at most MOST_PER_MINUTE messages a minute, the rest summed up in one."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Notice]] = {}
        self._sent_at_s: dict[str, deque[float]] = {}

    def put(self, run_id: str, notice: Notice) -> None:
        self._waiting.setdefault(run_id, []).append(notice)

    def due(self, now_s: float) -> list[Notice]:
        """Those whose turn it is, taken out. They count as sent now."""
        due: list[Notice] = []
        for run_id in list(self._waiting):
            due += self._due_of(run_id, now_s)
        self._sent_at_s = {run_id: sent for run_id, sent in self._sent_at_s.items() if sent[-1] > now_s - MINUTE_S}
        return due

    def next_s(self) -> float | None:
        """When `due` may give something again; None when nothing waits."""
        return min((self._sent_at_s[run_id][0] + MINUTE_S for run_id in self._waiting), default=None)

    def _due_of(self, run_id: str, now_s: float) -> list[Notice]:
        sent, waiting = self._sent_at_s.get(run_id, deque()), self._waiting[run_id]
        while sent and sent[0] <= now_s - MINUTE_S:
            sent.popleft()
        room = MOST_PER_MINUTE - len(sent)
        if room <= 0:
            return []
        del self._waiting[run_id]
        now = waiting if len(waiting) <= room else [*waiting[: room - 1], summed_up(waiting[room - 1 :])]
        sent.extend([now_s] * len(now))
        self._sent_at_s[run_id] = sent
        return now


class Receiver:
    """Delivers to one notifier, in order, whatever that does. problem: why the last message was lost, else ""."""

    def __init__(self, notifier: Notifier, clock: Clock, sleep: Sleep = asyncio.sleep, number: int = 1) -> None:
        """number: among the receivers, for one whose name cannot be asked for."""
        self._notifier = notifier
        self._number = number
        self._clock = clock
        self._sleep = sleep
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self.problem = ""

    def put(self, run_id: str, notice: Notice) -> None:
        """Deliver this when its turn comes. Never waits."""
        self._outbox.put(run_id, notice)
        self._wake.set()

    async def deliver(self) -> None:
        """Deliver for ever."""
        while True:
            try:
                await self._deliver_due()
            except Exception as error:
                log.exception("delivering to %s continues after an error inside Scale", self._name)
                self._failed(f"Delivering to {self._name} failed inside Scale ({named(error)}).")
                await self._sleep(PAUSE_S)

    async def _deliver_due(self) -> None:
        self._wake.clear()
        for notice in self._outbox.due(self._clock.monotonic_s()):
            await self._send(notice)
        if (next_s := self._outbox.next_s()) is None:
            await self._wake.wait()
        elif not self._wake.is_set():
            await first_of(self._wake.wait(), self._sleep(max(0.0, next_s - self._clock.monotonic_s())))

    async def _send(self, notice: Notice) -> None:
        for delay_s in (*BACK_OFF_S, None):
            problem = await self._problem_of_sending(notice)
            if not problem:
                return self._delivered()
            if delay_s is None:
                return self._failed(problem)
            await self._sleep(delay_s)
        return None

    async def _problem_of_sending(self, notice: Notice) -> str:
        """Why one try failed, "" when it did not; never later than SEND_LIMIT_S."""
        trying = asyncio.create_task(self._try(notice))
        try:
            late = await late_after(self._clock, SEND_LIMIT_S, {trying})
        finally:
            trying.cancel()
        if late:
            return f"Sending {notice.title!r} by {self._name} did not end within {SEND_LIMIT_S:g} s. Check that URL."
        return trying.result()

    async def _try(self, notice: Notice) -> str:
        try:
            await self._notifier.send(notice)
        except NotifyFailed as error:
            return str(error)
        except (Exception, SystemExit, asyncio.CancelledError) as error:  # noqa: BLE001 - it is told, as a sentence
            # What an error of a receiver's says may hold its secrets, so only its kind and place are told.
            return (
                f"Sending {notice.title!r} by {self._name} failed with an unexpected error "
                f"({type(error).__name__} at {_place_of(error)}). Check that URL."
            )
        return ""

    @property
    def _name(self) -> str:
        try:
            return self._notifier.name
        except Exception:  # noqa: BLE001 - the messages matter more than what their receiver is called
            return f"receiver {self._number}"

    def _failed(self, problem: str) -> None:
        if not self.problem:
            log.error("alerts do not reach %s: %s", self._name, problem)
        self.problem = problem

    def _delivered(self) -> None:
        if self.problem:
            log.warning("alerts reach %s again", self._name)
        self.problem = ""


class Notices:
    """Every receiver of this installation."""

    def __init__(
        self,
        runs: RunQueries,
        receivers: tuple[Receiver, ...],
        public_url: str = "",
        sleep: Sleep = asyncio.sleep,
        mine: Callable[[str], bool] = lambda run_id: True,
    ) -> None:
        """mine: is this a run of this server? Of the others their own server tells."""
        self._mine = mine
        self._runs = runs
        self._receivers = receivers
        self._public_url = public_url
        self._sleep = sleep
        self._not_told = ""

    @property
    def problem(self) -> str:
        """Why alerts do not reach somebody, "" when they do: a sentence for each such receiver."""
        problems = (self._not_told, *(receiver.problem for receiver in self._receivers))
        return " ".join(problem for problem in problems if problem)

    async def tell(self) -> None:
        """Watch every run and deliver what happens, for ever."""
        parts = [asyncio.create_task(receiver.deliver()) for receiver in self._receivers]
        parts.append(asyncio.create_task(self._watch()))
        try:
            await asyncio.gather(*parts)
        finally:
            await cancelled(*parts)

    async def _watch(self) -> None:
        while True:  # a subscription that fell too far behind ends, and is made anew
            try:
                async with self._runs.subscribe() as events:
                    async for run_id, event in events:
                        if not self._mine(run_id):
                            continue
                        if isinstance(event, (AlertRaised, AlertUpdated, AlertCleared, StateChanged)):
                            await self._take(run_id, event)
            except Exception:
                log.exception("runs are watched for alerts again after an error inside Scale")
                await self._sleep(PAUSE_S)

    async def _take(self, run_id: str, event: AlertEvent | StateChanged) -> None:
        try:
            notice = self._notice(await self._runs.run(run_id), event)
        except (RunNotFound, StoreUnavailable) as error:
            # Only for a run that ended and left memory in the same moment.
            log.error("a message on run %s was not delivered: %s", run_id, error)
            return
        except Exception as error:
            log.exception("a message on run %s was not delivered", run_id)
            self._not_told = NOT_TOLD.format(run_id=run_id, kind=event.kind, error=named(error))
            return
        if notice is not None:
            self._not_told = ""
            for receiver in self._receivers:
                receiver.put(run_id, notice)

    def _notice(self, record: RunRecord, event: AlertEvent | StateChanged) -> Notice | None:
        if isinstance(event, StateChanged):
            return None if event.state.active else end_notice(record, self._public_url)
        return notice_of(record, event, self._public_url)


def _place_of(error: BaseException) -> str:
    """Where it was raised, as "smtp.py:12"."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
