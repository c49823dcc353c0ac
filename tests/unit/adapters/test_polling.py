"""Every pod is read at once, and one that cannot be read holds up no other."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any, cast

import pytest

from scale_app.adapters.kubernetes.counters import polling
from scale_app.adapters.kubernetes.counters.pods import CountedPod, TargetPods
from scale_app.adapters.kubernetes.counters.polling import AtPods
from scale_app.adapters.this_machine import SystemClock
from scale_app.domain.errors import CountingFailed


class ThreePods:
    def now(self) -> dict[str, CountedPod]:
        return {name: CountedPod("shop", name) for name in "abc"}


async def test_a_pod_that_could_not_be_read_is_not_waited_for_as_long_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(polling, "PATIENCE_S", 0.01)
    at_pods = AtPods(cast(Any, None), SystemClock(), every_s=0.001)
    looks, back = 0, asyncio.Event()

    async def read(pod: CountedPod) -> int:
        if pod.name == "c" and not looks:
            raise CountingFailed("The page of pod c timed out.")
        if pod.name == "c":
            await back.wait()
        return looks

    async with aclosing(at_pods.readings(cast(TargetPods, ThreePods()), read, lambda: 1)) as readings:
        async for reading in readings:
            looks += 1
            assert set(reading.got) >= {"a", "b"}
            if reading.failed:
                assert "timed out" in reading.failed["c"]
            if looks == 3:
                back.set()
            if looks == 4:
                break
    assert reading.got == {"a": 3, "b": 3, "c": 3}


async def test_a_reading_takes_as_long_as_that_of_the_pods_that_were_read() -> None:
    at_pods = AtPods(cast(Any, None), SystemClock(), every_s=0.001)
    clock = SystemClock()
    given_up_s = 0.0

    async def read(pod: CountedPod) -> int:
        nonlocal given_up_s
        if pod.name != "c":
            return 1
        await asyncio.sleep(0.05)
        given_up_s = clock.monotonic_s()
        raise CountingFailed("The page of pod c timed out.")

    async with aclosing(at_pods.readings(cast(TargetPods, ThreePods()), read, lambda: 1)) as readings:
        reading = await anext(readings)
    assert reading.at_s + reading.took_s < given_up_s
    assert set(reading.failed) == {"c"}
