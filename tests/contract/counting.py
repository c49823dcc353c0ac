"""How the tests of the counters read them: one target, a time limit, and reading on until something is seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from scale_app.domain.cluster import ServiceRef
from scale_app.domain.counters import CounterTotals
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import CountsSample
from scale_app.domain.source import Source
from scale_app.ports import Admitted, RequestCounter

PLAN = LoadPlan(target_url="http://cart.shop.svc:8080/", counter_name="http_requests_total", enter_pods="exec")
TARGET = Admitted(PLAN.target_url, Source.HEADER, (), ServiceRef("shop", "cart"))
LIMIT_S = 10.0
EVERY_S = 0.02


@asynccontextmanager
async def reading(
    counter: RequestCounter, plan: LoadPlan = PLAN, sent: Callable[[], int] = lambda: 0
) -> AsyncIterator[AsyncGenerator[Any, None]]:
    """The counter's samples, for LIMIT_S at the most. sent: the load's requests so far."""
    async with asyncio.timeout(LIMIT_S), aclosing(counter.counts(plan, TARGET, sent)) as samples:
        yield samples


async def until_totals(
    samples: AsyncGenerator[Any, None], counters: CounterTotals, wanted: dict[str, int]
) -> CountsSample:
    """Read on until the counters's totals are as wanted."""

    def reached(sample: CountsSample) -> bool:
        counters.observe(sample)
        return counters.totals == wanted

    return await until(samples, reached)


async def until(samples: AsyncGenerator[Any, None], seen: Callable[[CountsSample], bool]) -> CountsSample:
    """Read on until this is seen."""
    async for sample in samples:
        if seen(sample):
            return sample  # type: ignore[no-any-return]
    raise AssertionError("the counter ended")
