"""A run is this server's until another one has claimed it; what nobody holds is interrupted, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from scale_app.domain.errors import BusUnavailable, RunNotActive, RunStillActive
from scale_app.domain.events import StateChanged
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState, Source
from scale_app.replica_ports import LEASE_S, RENEW_EVERY_S, Lease, lease_name
from scale_app.service.ownership import LOOK_EVERY_S, LOOKS
from tests.unit.service.harness import Harness, settled

OLD = RunRecord("old", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0)
LATE_S = 5.0


@pytest.fixture
async def shared() -> AsyncIterator[Harness]:
    """A server that shares its store with others."""
    built = Harness(alone=False)
    await built.hub.open()
    await settled()
    yield built
    await built.close()


async def passes(harness: Harness, seconds: float) -> None:
    for _ in range(round(seconds / LOOK_EVERY_S)):
        harness.clock.advance(LOOK_EVERY_S)
        await settled()


async def taken(harness: Harness, run_id: str) -> None:
    """Another server claims a run of this one, which was paused beyond its lease, and interrupts it."""
    harness.clock.advance(LEASE_S)
    lease = await harness.leases.claim(lease_name(run_id), "other")
    assert lease is not None
    await harness.store.mark_interrupted("gone", only=[run_id])
    await harness.leases.release(lease)


async def test_a_run_that_another_server_took_is_ended_here_and_stays_as_it_was_stored(shared: Harness) -> None:
    run_id = await shared.started()
    await settled()
    await taken(shared, run_id)
    stored = await shared.store.happenings(run_id)
    async with shared.hub.subscribe(run_id) as events:
        await passes(shared, LATE_S)
        told = [event async for _, event in events]
    assert told[-1] == StateChanged(LEASE_S + RENEW_EVERY_S, RunState.INTERRUPTED, told[-1].message)  # type: ignore[union-attr]
    assert "did not answer the others" in told[-1].message  # type: ignore[union-attr]
    assert shared.load.killed
    assert shared.hub.active() == []
    assert await shared.store.happenings(run_id) == stored
    assert (await shared.hub.run(run_id)).message == "gone"


async def test_a_run_that_was_ended_in_the_store_alone_is_ended_here_too(shared: Harness) -> None:
    run_id = await shared.started()
    await settled()
    await shared.store.mark_interrupted("gone", only=[run_id])
    shared.load.traffic(1.0, a=10, b=10)
    await settled()
    await passes(shared, LATE_S)
    assert shared.load.killed
    assert (await shared.hub.run(run_id)).state is RunState.INTERRUPTED


async def test_a_run_whose_lease_only_ran_out_goes_on(shared: Harness) -> None:
    run_id = await shared.started()
    shared.clock.advance(10 * LEASE_S)
    await passes(shared, LATE_S)
    assert not shared.load.killed
    assert await shared.leases.claim(lease_name(run_id), "other") is None


async def test_a_run_of_a_server_that_is_gone_is_interrupted_once(shared: Harness) -> None:
    await shared.store.create(OLD)
    await passes(shared, (LOOKS - 1) * LOOK_EVERY_S)
    assert (await shared.hub.run("old")).state is RunState.RUNNING
    await passes(shared, LATE_S)
    assert (await shared.hub.run("old")).state is RunState.INTERRUPTED
    assert len(await shared.store.happenings("old")) == 1
    assert await shared.leases.free([lease_name("old")]) == {lease_name("old")}


async def test_a_run_that_another_server_holds_is_left_alone(shared: Harness) -> None:
    await shared.store.create(OLD)
    lease = await shared.leases.claim(lease_name("old"), "other")
    assert lease is not None
    for _ in range(20):
        await passes(shared, LOOK_EVERY_S)
        await shared.leases.renew(lease)
    assert (await shared.hub.run("old")).state is RunState.RUNNING


async def test_a_lease_that_was_free_for_a_moment_is_left_alone(shared: Harness) -> None:
    await shared.store.create(OLD)
    for _ in range(5):
        await passes(shared, (LOOKS - 1) * LOOK_EVERY_S)
        lease = await shared.leases.claim(lease_name("old"), "other")
        assert lease is not None
        await passes(shared, LOOK_EVERY_S)
        await shared.leases.release(lease)
    assert (await shared.hub.run("old")).state is RunState.RUNNING


async def test_nothing_is_interrupted_while_what_is_shared_cannot_be_reached(
    shared: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await shared.started()
    await shared.store.create(OLD)

    async def away(_what: Lease | Sequence[str]) -> frozenset[str]:
        raise BusUnavailable("Redis does not answer.")

    with monkeypatch.context() as gone:
        gone.setattr(shared.leases, "free", away)
        gone.setattr(shared.leases, "renew", away)
        await passes(shared, 60.0)
        assert not shared.load.killed
        assert (await shared.hub.run("old")).state is RunState.RUNNING
    await passes(shared, LATE_S)
    assert (await shared.hub.run(run_id)).state.active
    assert (await shared.hub.run("old")).state is RunState.INTERRUPTED


async def test_an_ended_run_is_held_until_it_is_stored(shared: Harness) -> None:
    run_id = await shared.started()
    shared.store.hold_appends()
    shared.load.end(2.0)
    await passes(shared, 2 * LEASE_S)
    assert await shared.leases.free([lease_name(run_id)]) == frozenset()
    await shared.database_is_back()
    assert await shared.leases.free([lease_name(run_id)]) == {lease_name(run_id)}


async def test_a_run_of_another_server_is_neither_changed_nor_deleted_here(shared: Harness) -> None:
    await shared.store.create(OLD)
    with pytest.raises(RunNotActive, match="is run by another server"):
        await shared.hub.stop("old")
    with pytest.raises(RunNotActive, match="is run by another server"):
        await shared.hub.edit("old", PlanEdit(users=3))
    with pytest.raises(RunStillActive, match="from another server"):
        await shared.hub.delete("old")
    await passes(shared, LATE_S)
    await shared.hub.delete("old")


async def test_a_server_that_is_alone_looks_after_nobody(harness: Harness) -> None:
    await harness.hub.open()
    await harness.store.create(OLD)
    await passes(harness, 60.0)
    assert (await harness.hub.run("old")).state is RunState.RUNNING


async def test_a_server_that_ends_interrupts_its_own_runs_alone(shared: Harness) -> None:
    run_id = await shared.started()
    await shared.store.create(OLD)
    await shared.hub.close()
    assert (await shared.store.run(run_id)).state is RunState.INTERRUPTED
    assert (await shared.store.run("old")).state is RunState.RUNNING
