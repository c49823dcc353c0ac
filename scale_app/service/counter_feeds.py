"""The sources that count beside one run's load: read from before its first request until after its last answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import aclosing

from scale_app.domain.errors import ScaleError, named
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import ConnectionsSample, CountsSample, Sample, TrafficSample
from scale_app.domain.source import COUNTERS, Source
from scale_app.ports import Admitted, Clock, RequestCounter
from scale_app.service.tasks import cancelled, late_after

log = logging.getLogger(__name__)
FIRST_READING_LIMIT_S = 45.0
"""A container that is added to the pods needs a while; what fails does so sooner."""
AUTO_LIMIT_S = 10.0
LAST_READING_LIMIT_S = 5.0
LAST_ESTIMATE_LIMIT_S = 25.0
LAST_READINGS = 5.0
"""Of many pods a reading takes long: one is under way, then there is a rest, and then comes the last one."""
NO_COUNTER = (
    "Counting by {source} needs a Kubernetes cluster that this installation may read. Configure one "
    "(SCALE_KUBE_CONFIG), or count by response header."
)
NOT_READ = (
    "Nothing was read from {source} within {limit_s:g} s, so no load was sent. Try again, or count by another source."
)
FAILED = (
    "Reading {source} ended with an unexpected error ({error}); the server's log has the details. Start "
    "another run, or count by another source."
)
ENDED = "Reading {source} ended before the run did. Start another run, or count by another source."


class CounterFeeds:
    """Every source that the plan allows, each in a task of its own. put: takes each sample."""

    def __init__(
        self, counters: Mapping[Source, RequestCounter], plan: LoadPlan, put: Callable[[Sample], None], clock: Clock
    ) -> None:
        wish = plan.wish
        self._asked = Source(wish.source) if wish.source != "auto" else None
        self._counters = {source: counters[source] for source in COUNTERS if source in counters and wish.allows(source)}
        self._plan = plan
        self._put = put
        self._clock = clock
        self._sent = 0
        self._answers_suffice = False
        self._problems: dict[Source, str] = {}
        self._tasks: dict[Source, asyncio.Task[None]] = {}
        self._spoken = {source: asyncio.Event() for source in self._counters}
        self._known_to_s: dict[Source, float] = {}
        self._took_s = 0.0
        self._heard = asyncio.Event()

    async def open(self, target: Admitted) -> str:
        """Begin to read. Returns when every source has been read once, or after a limit; a named one has more time.

        Gives the sentence that says why the run cannot be counted as asked, "" when it can.
        """
        for source, counter in self._counters.items():
            self._tasks[source] = asyncio.create_task(self._follow(source, counter, target))
        first_words: set[asyncio.Future[bool]] = {
            asyncio.ensure_future(event.wait()) for event in self._spoken.values()
        }
        limit_s = FIRST_READING_LIMIT_S if self._asked else AUTO_LIMIT_S
        for word in await late_after(self._clock, limit_s, first_words):
            word.cancel()
        return self._why_not_as_asked()

    def traffic_seen(self, sample: Sample) -> None:
        """What the load has sent so far tells a source which of many counters is the one of requests."""
        if isinstance(sample, TrafficSample):
            self._sent = sample.requests

    async def last_reading(self, ended_at_s: float) -> None:
        """Wait, for a bounded time, until the sources have seen all that was answered before the end.

        Estimates, which lag by many seconds, are waited for only where there is nothing better.
        """
        exact = [source for source in self._tasks if source.traits.exact]
        limit_s = max(LAST_READING_LIMIT_S, LAST_READINGS * self._took_s) if exact else LAST_ESTIMATE_LIMIT_S
        if self._answers_suffice:
            return
        reading = asyncio.ensure_future(self._until_read(exact or list(self._tasks), ended_at_s))
        for late in await late_after(self._clock, limit_s, {reading}):
            late.cancel()
            log.warning("some sources were not read again within %g s after the load ended", limit_s)

    async def _until_read(self, sources: Collection[Source], ended_at_s: float) -> None:
        while any(source in self._tasks and self._known_to_s.get(source, 0.0) < ended_at_s for source in sources):
            self._heard.clear()
            await self._heard.wait()

    def answers_suffice(self) -> None:
        """Let go of what is of no use when every answer names its pod."""
        self._answers_suffice = True
        # One that is read rarely stays, since it alone can tell the requests of other clients.
        for other in [source for source in self._tasks if not source.traits.alone_tells_others]:
            self._tasks.pop(other).cancel()

    async def close(self) -> None:
        """Nothing is read any more."""
        await cancelled(*self._tasks.values())

    async def _follow(self, source: Source, counter: RequestCounter, target: Admitted) -> None:
        try:
            async with aclosing(counter.counts(self._plan, target, lambda: self._sent)) as samples:
                async for sample in samples:
                    self._take(source, sample)
            self._lose(source, ENDED.format(source=_words(source)))
        except ScaleError as error:
            self._lose(source, str(error))
        except Exception as error:
            log.exception("%s is no longer read", source)
            self._lose(source, FAILED.format(source=_words(source), error=named(error)))
        finally:
            self._tasks.pop(source, None)
            self._spoken[source].set()
            self._heard.set()

    def _lose(self, source: Source, problem: str) -> None:
        self._problems[source] = problem
        self._put(CountsSample(self._clock.monotonic_s(), source, problem=problem))

    def _take(self, source: Source, sample: CountsSample | ConnectionsSample) -> None:
        self._put(sample)
        lag_s = sample.lag_s if isinstance(sample, CountsSample) else 0.0
        self._known_to_s[source] = sample.at_s - lag_s
        self._took_s = max(self._took_s, sample.took_s)
        self._spoken[source].set()
        self._heard.set()

    def _why_not_as_asked(self) -> str:
        asked = self._asked
        if asked is None or asked not in COUNTERS:
            return ""
        if asked not in self._counters:
            return NO_COUNTER.format(source=_words(asked))
        if asked in self._problems:
            return self._problems[asked]
        if not self._spoken[asked].is_set():
            return NOT_READ.format(source=_words(asked), limit_s=FIRST_READING_LIMIT_S)
        return ""


def _words(source: Source) -> str:
    return source.value.replace("_", " ")
