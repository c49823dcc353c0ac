"""Tells receivers outside of alerts. It watches like every other viewer, so no run ever waits for it.

Each receiver has its own queue: one that hangs or is gone holds up neither the runs nor the other receivers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from scale_app.domain.errors import NotifyFailed, RunNotFound, StoreUnavailable
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated, StateChanged
from scale_app.domain.notice import AlertEvent, Notice, end_notice, notice_of, summed_up
from scale_app.domain.run import RunRecord
from scale_app.ports import Clock, Notifier
from scale_app.service.broadcast import Item

log = logging.getLogger(__name__)
MOST_PER_MINUTE = 4
MINUTE_S = 60.0
BACK_OFF_S = (1.0, 4.0)
"""Seconds before the second and the third try; there is no fourth."""

Sleep = Callable[[float], Awaitable[None]]


class Watched(Protocol):
    """The hub as a viewer sees it."""

    def subscribe(self, run_id: str | None = None) -> AbstractAsyncContextManager[AsyncIterator[Item]]:
        """See Hub.subscribe."""

    async def run(self, run_id: str) -> RunRecord:
        """See Hub.run."""


class Outbox:
    """What waits for one receiver: of each run at most MOST_PER_MINUTE messages a minute, the rest summed up in one."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[Notice]] = {}
        self._sent_at_s: dict[str, deque[float]] = {}

    def put(self, run_id: str, notice: Notice) -> None:
        """Let a message wait for its turn."""
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
    """Delivers to one notifier, in order. problem: why the last message was lost, "" when it was not."""

    def __init__(self, notifier: Notifier, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._notifier = notifier
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
            self._wake.clear()
            for notice in self._outbox.due(self._clock.monotonic_s()):
                await self._send(notice)
            if not self._wake.is_set():
                await self._until_something_is_due()

    async def _until_something_is_due(self) -> None:
        next_s = self._outbox.next_s()
        if next_s is None:
            await self._wake.wait()
            return
        delay_s = max(0.0, next_s - self._clock.monotonic_s())
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(self._sleep(delay_s))]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _send(self, notice: Notice) -> None:
        for delay_s in (*BACK_OFF_S, None):
            try:
                await self._notifier.send(notice)
                return self._delivered()
            except NotifyFailed as error:
                if delay_s is None:
                    return self._failed(str(error))
                await self._sleep(delay_s)
        return None

    def _failed(self, problem: str) -> None:
        if not self.problem:
            log.error("alerts do not reach %s: %s", self._notifier.name, problem)
        self.problem = problem

    def _delivered(self) -> None:
        if self.problem:
            log.warning("alerts reach %s again", self._notifier.name)
        self.problem = ""


class Notices:
    """Every receiver of this installation."""

    def __init__(self, hub: Watched, receivers: tuple[Receiver, ...], public_url: str = "") -> None:
        self._hub = hub
        self._receivers = receivers
        self._public_url = public_url

    @property
    def problem(self) -> str:
        """Why alerts do not reach somebody, "" when they do: a sentence for each such receiver."""
        return " ".join(receiver.problem for receiver in self._receivers if receiver.problem)

    async def tell(self) -> None:
        """Watch every run and deliver what happens, for ever."""
        async with asyncio.TaskGroup() as group:
            for receiver in self._receivers:
                group.create_task(receiver.deliver())
            group.create_task(self._watch())

    async def _watch(self) -> None:
        while True:  # a subscription that fell too far behind ends, and is made anew
            async with self._hub.subscribe() as events:
                async for run_id, event in events:
                    if isinstance(event, (AlertRaised, AlertUpdated, AlertCleared, StateChanged)):
                        await self._take(run_id, event)

    async def _take(self, run_id: str, event: AlertEvent | StateChanged) -> None:
        try:
            record = await self._hub.run(run_id)
        except (RunNotFound, StoreUnavailable) as error:
            # Only for a run that ended and left memory in the same moment.
            log.error("a message on run %s was not delivered: %s", run_id, error)
            return
        notice = self._notice(record, event)
        if notice is not None:
            for receiver in self._receivers:
                receiver.put(run_id, notice)

    def _notice(self, record: RunRecord, event: AlertEvent | StateChanged) -> Notice | None:
        if isinstance(event, StateChanged):
            return None if event.state.active else end_notice(record, self._public_url)
        return notice_of(record, event, self._public_url)
