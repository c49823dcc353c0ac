"""What every Leases promises, asked of the one in this process, of a real Redis and of both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.domain.errors import LeaseLost
from scale_app.replica_ports import Lease
from tests.contract.sharing import Owning


async def claimed(owning: Owning, holder: str = "a", name: str = "run 1") -> Lease:
    lease = await owning.leases.claim(name, holder)
    assert lease is not None
    assert (lease.name, lease.holder) == (name, holder)
    return lease


async def test_what_one_holds_nobody_else_gets(owning: Owning) -> None:
    await claimed(owning)
    assert await owning.leases.claim("run 1", "b") is None
    await claimed(owning, "b", "run 2")


async def test_the_holder_gets_the_same_lease_again(owning: Owning) -> None:
    assert await claimed(owning) == await claimed(owning)


async def test_it_can_be_claimed_when_it_was_released_and_with_a_higher_number(owning: Owning) -> None:
    before = await claimed(owning)
    await owning.leases.release(before)
    now = await claimed(owning, "b")
    assert now.number > before.number


async def test_it_can_be_claimed_when_it_ran_out_and_with_a_higher_number(owning: Owning) -> None:
    before = await claimed(owning)
    await owning.run_out("run 1")
    now = await claimed(owning, "b")
    assert now.number > before.number


async def test_who_renews_keeps_it(owning: Owning) -> None:
    lease = await claimed(owning)
    await owning.leases.renew(lease)
    assert await owning.leases.claim("run 1", "b") is None


async def test_one_that_ran_out_is_renewed_while_nobody_has_claimed_it(owning: Owning) -> None:
    lease = await claimed(owning)
    await owning.run_out("run 1")
    await owning.leases.renew(lease)
    assert await owning.leases.claim("run 1", "b") is None


@pytest.mark.parametrize("held", [True, False])
async def test_one_that_somebody_has_claimed_since_cannot_be_renewed(owning: Owning, held: bool) -> None:
    lease = await claimed(owning)
    await owning.run_out("run 1")
    other = await claimed(owning, "b")
    if not held:
        await owning.leases.release(other)
    with pytest.raises(LeaseLost, match="'run 1'"):
        await owning.leases.renew(lease)
    assert await owning.leases.free(["run 1"]) == (frozenset() if held else {"run 1"})


async def test_releasing_one_that_was_lost_takes_nothing_from_who_has_it(owning: Owning) -> None:
    lease = await claimed(owning)
    await owning.run_out("run 1")
    await claimed(owning, "b")
    await owning.leases.release(lease)
    assert await owning.leases.claim("run 1", "c") is None


async def test_a_lease_that_was_forgotten_can_be_renewed(owning: Owning) -> None:
    lease = replace(await claimed(owning), name="run of before the data was lost")
    await owning.leases.renew(lease)
    assert await owning.leases.claim(lease.name, "b") is None


async def test_it_is_told_which_are_free(owning: Owning) -> None:
    await claimed(owning, name="held")
    released = await claimed(owning, name="released")
    await owning.leases.release(released)
    assert await owning.leases.free(["held", "released", "unknown"]) == {"released", "unknown"}
    assert await owning.leases.free([]) == frozenset()
