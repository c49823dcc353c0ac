"""What every Leases promises, asked of the one in this process and of a real Redis."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.domain.errors import LeaseLost
from scale_app.replica_ports import Lease
from tests.contract.sharing import Shared


async def claimed(shared: Shared, holder: str = "a", name: str = "run 1") -> Lease:
    lease = await shared.leases.claim(name, holder)
    assert lease is not None
    assert (lease.name, lease.holder) == (name, holder)
    return lease


async def test_what_one_holds_nobody_else_gets(shared: Shared) -> None:
    await claimed(shared)
    assert await shared.leases.claim("run 1", "b") is None
    await claimed(shared, "b", "run 2")


async def test_the_holder_gets_the_same_lease_again(shared: Shared) -> None:
    assert await claimed(shared) == await claimed(shared)


async def test_it_can_be_claimed_when_it_was_released_and_with_a_higher_number(shared: Shared) -> None:
    before = await claimed(shared)
    await shared.leases.release(before)
    now = await claimed(shared, "b")
    assert now.number > before.number


async def test_it_can_be_claimed_when_it_ran_out_and_with_a_higher_number(shared: Shared) -> None:
    before = await claimed(shared)
    await shared.run_out("run 1")
    now = await claimed(shared, "b")
    assert now.number > before.number


async def test_who_renews_keeps_it(shared: Shared) -> None:
    lease = await claimed(shared)
    await shared.leases.renew(lease)
    assert await shared.leases.claim("run 1", "b") is None


async def test_one_that_ran_out_is_renewed_while_nobody_has_claimed_it(shared: Shared) -> None:
    lease = await claimed(shared)
    await shared.run_out("run 1")
    await shared.leases.renew(lease)
    assert await shared.leases.claim("run 1", "b") is None


@pytest.mark.parametrize("held", [True, False])
async def test_one_that_somebody_has_claimed_since_cannot_be_renewed(shared: Shared, held: bool) -> None:
    lease = await claimed(shared)
    await shared.run_out("run 1")
    other = await claimed(shared, "b")
    if not held:
        await shared.leases.release(other)
    with pytest.raises(LeaseLost, match="'run 1'"):
        await shared.leases.renew(lease)
    assert await shared.leases.free(["run 1"]) == (frozenset() if held else {"run 1"})


async def test_releasing_one_that_was_lost_takes_nothing_from_who_has_it(shared: Shared) -> None:
    lease = await claimed(shared)
    await shared.run_out("run 1")
    await claimed(shared, "b")
    await shared.leases.release(lease)
    assert await shared.leases.claim("run 1", "c") is None


async def test_a_lease_that_was_forgotten_can_be_renewed(shared: Shared) -> None:
    lease = replace(await claimed(shared), name="run of before the data was lost")
    await shared.leases.renew(lease)
    assert await shared.leases.claim(lease.name, "b") is None


async def test_it_is_told_which_are_free(shared: Shared) -> None:
    await claimed(shared, name="held")
    released = await claimed(shared, name="released")
    await shared.leases.release(released)
    assert await shared.leases.free(["held", "released", "unknown"]) == {"released", "unknown"}
    assert await shared.leases.free([]) == frozenset()
