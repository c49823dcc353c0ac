"""What every RunBus promises, asked of the one in this process and of a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from scale_app.domain.errors import LeaseLost, OwnerAway
from scale_app.domain.events import Numbered, SnapshotTaken, StateChanged
from scale_app.domain.snapshot import RunState
from scale_app.replica_ports import Lease
from tests.contract.sharing import Shared
from tests.fakes import a_snapshot

PATIENCE_S = 20.0
SHORT_S = 0.05
KEPT = 300


def events(*seqs: int) -> list[Numbered]:
    return [Numbered(seq, SnapshotTaken(float(seq), a_snapshot(seq=seq))) for seq in seqs]


async def owned(shared: Shared, run_id: str = "run-1") -> Lease:
    lease = await shared.leases.claim(f"run {run_id}", "a")
    assert lease is not None
    return lease


async def followed(shared: Shared, after: int = -1, most: int = 1_000) -> list[int]:
    """The numbers that a follower gets until the end, or until it has so many."""
    found: list[int] = []
    async with asyncio.timeout(PATIENCE_S), aclosing(shared.bus.follow("run-1", after)) as coming:
        async for numbered in coming:
            found.append(numbered.seq)
            if len(found) == most:
                break
    return found


async def test_events_come_back_as_they_were_in_order(shared: Shared) -> None:
    lease = await owned(shared)
    told = [*events(0, 1), Numbered(2, StateChanged(2.0, RunState.STOPPING, "Enough."))]
    await shared.bus.append(lease, "run-1", told[:1])
    await shared.bus.append(lease, "run-1", told[1:])
    await shared.bus.append(lease, "run-1", [])
    assert await shared.bus.read("run-1") == told
    assert await shared.bus.read("run-1", after=1) == told[2:]
    assert await shared.bus.read("run-1", after=2) == []
    assert await shared.bus.read("run-2") == []


async def test_numbers_may_be_missing_and_none_is_there_twice(shared: Shared) -> None:
    lease = await owned(shared)
    await shared.bus.append(lease, "run-1", events(0, 4))
    await shared.bus.append(lease, "run-1", events(4, 3, 7))
    assert [numbered.seq for numbered in await shared.bus.read("run-1")] == [0, 4, 7]


async def test_the_newest_are_kept(shared: Shared) -> None:
    lease = await owned(shared)
    states = [Numbered(seq, StateChanged(0.0, RunState.RUNNING)) for seq in range(KEPT + 10)]
    await shared.bus.append(lease, "run-1", states)
    assert await shared.bus.read("run-1") == states[10:]


async def test_a_follower_gets_what_was_and_what_comes_until_the_end(shared: Shared) -> None:
    lease = await owned(shared)
    await shared.bus.append(lease, "run-1", events(0, 1))
    first, later = asyncio.create_task(followed(shared)), asyncio.create_task(followed(shared, after=1))
    assert await followed(shared, most=2) == [0, 1]
    await shared.bus.append(lease, "run-1", events(2, 3))
    await shared.bus.end(lease, "run-1")
    assert (await first, await later) == ([0, 1, 2, 3], [2, 3])
    assert await followed(shared) == [0, 1, 2, 3]


async def test_one_may_follow_before_there_is_anything(shared: Shared) -> None:
    following = asyncio.create_task(followed(shared, most=1))
    await asyncio.sleep(0)
    await shared.bus.append(await owned(shared), "run-1", events(0))
    assert await following == [0]


async def test_nothing_is_appended_after_the_end(shared: Shared) -> None:
    lease = await owned(shared)
    await shared.bus.append(lease, "run-1", events(0))
    await shared.bus.end(lease, "run-1")
    await shared.bus.end(lease, "run-1")
    with pytest.raises(LeaseLost):
        await shared.bus.append(lease, "run-1", events(1))
    assert [numbered.seq for numbered in await shared.bus.read("run-1")] == [0]


async def test_who_has_lost_the_lease_writes_nothing(shared: Shared) -> None:
    lease = await owned(shared)
    await shared.bus.append(lease, "run-1", events(0))
    await shared.run_out(lease.name)
    other = await shared.leases.claim(lease.name, "b")
    assert other is not None
    with pytest.raises(LeaseLost):
        await shared.bus.append(lease, "run-1", events(1))
    with pytest.raises(LeaseLost):
        await shared.bus.end(lease, "run-1")
    await shared.bus.append(other, "run-1", events(1))
    await shared.leases.release(other)
    with pytest.raises(LeaseLost):
        await shared.bus.append(lease, "run-1", events(2))
    assert [numbered.seq for numbered in await shared.bus.read("run-1")] == [0, 1]


async def test_a_lease_that_only_ran_out_still_writes(shared: Shared) -> None:
    lease = await owned(shared)
    await shared.run_out(lease.name)
    await shared.bus.append(lease, "run-1", events(0))
    assert len(await shared.bus.read("run-1")) == 1


async def answering(shared: Shared, holder: str, answers: Sequence[str]) -> list[str]:
    """Answer so many commands in turn; what they were."""
    asked: list[str] = []
    async with aclosing(shared.bus.commands(holder)) as coming:
        for answer in answers:
            command = await anext(coming)
            asked.append(command.text)
            await command.answer(answer)
    return asked


async def test_a_command_comes_back_with_its_answer(shared: Shared) -> None:
    owner = asyncio.create_task(answering(shared, "a", ["done é", "no"]))
    assert await shared.bus.ask("a", "stop ü", PATIENCE_S) == "done é"
    assert await shared.bus.ask("a", "edit", PATIENCE_S) == "no"
    assert await owner == ["stop ü", "edit"]


async def test_each_gets_the_answer_to_its_own_command(shared: Shared) -> None:
    async def echo() -> None:
        async with aclosing(shared.bus.commands("a")) as coming:
            async for command in coming:
                await command.answer(command.text.upper())

    owner = asyncio.create_task(echo())
    assert await asyncio.gather(*(shared.bus.ask("a", text, PATIENCE_S) for text in "xyz")) == ["X", "Y", "Z"]
    owner.cancel()


async def test_a_command_that_nobody_takes_is_withdrawn(shared: Shared) -> None:
    with pytest.raises(OwnerAway, match="nothing was changed") as away:
        await shared.bus.ask("a", "stop", SHORT_S)
    assert not away.value.taken
    owner = asyncio.create_task(answering(shared, "a", ["done"]))
    await shared.bus.ask("a", "next", PATIENCE_S)
    assert await owner == ["next"]


async def test_a_command_that_was_taken_and_not_answered_may_have_been_done(shared: Shared) -> None:
    async def take() -> None:
        async with aclosing(shared.bus.commands("a")) as coming:
            await anext(coming)

    owner = asyncio.create_task(take())
    with pytest.raises(OwnerAway, match="may have done so") as away:
        await shared.bus.ask("a", "stop", 1.0)
    assert away.value.taken
    await owner
