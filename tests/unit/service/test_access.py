"""Tokens: who may make, list and revoke which, which are believed, and what wrong ones cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scale_app.domain.audit import AuditEntry, MadeToken
from scale_app.domain.errors import PlanError, StoreUnavailable, TokenNotFound
from scale_app.domain.identity import CALLER, Caller, NotPermitted, NotSignedIn, Principal, Role, SignIn
from scale_app.service.access import EVERY_S, FRESH_S, MOST_OF_ONE, Access
from scale_app.service.wrong_tokens import AT_ONCE, DELAY_S, MOST_ADDRESSES
from tests.fakes import FakeClock
from tests.fakes_access import FakeAccessStore

AWAY = StoreUnavailable("The database is away.")
DAY_S = 86_400.0
HERE = "10.0.0.7"


class Desk:
    """Access among fakes. naps: how long wrong ones were let wait."""

    def __init__(self, audit_days: float = 0.0) -> None:
        self.store, self.clock = FakeAccessStore(), FakeClock()
        self.noted: list[AuditEntry] = []
        self.naps: list[float] = []
        self.access = Access(self.store, self.clock, self.noted.append, audit_days, self._nap)

    async def _nap(self, seconds: float) -> None:
        self.naps.append(seconds)

    async def made(self, name: str = "deploy", role: Role = Role.OPERATOR, days: float = 30.0) -> MadeToken:
        with calling("ada", Role.ADMIN):
            return await self.access.make_token(name, role, days)

    async def role_of(self, text: str) -> Role | None:
        found = await self.access.check_token(text, HERE)
        return found.role if found else None


@pytest.fixture
def desk() -> Desk:
    return Desk()


@contextmanager
def calling(name: str, role: Role, sign_in: SignIn = SignIn.OIDC, key: str = "") -> Iterator[None]:
    before = CALLER.set(Caller(Principal(name, role, sign_in, key=key), HERE))
    try:
        yield
    finally:
        CALLER.reset(before)


async def test_a_token_that_was_made_names_its_owner_and_has_its_role(desk: Desk) -> None:
    made = await desk.made()
    assert made.text.startswith(f"scale_{made.token.id}_")
    assert await desk.access.check_token(made.text, HERE) == Principal(
        "deploy (token of ada)", Role.OPERATOR, SignIn.TOKEN, key=made.token.id
    )


async def test_the_secret_is_stored_nowhere(desk: Desk) -> None:
    made = await desk.made()
    ((token, digest),) = await desk.store.valid_tokens(0.0)
    secret = made.text.split("_", 2)[2]
    assert secret not in f"{token}{digest}{desk.noted}"
    assert len(digest) == 64


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "x",
        lambda text: text.upper(),
        lambda text: text.replace("scale_", "Scale_"),
        lambda text: text.partition("_")[2],
        lambda _: "",
        lambda _: "scale__",
        lambda _: "\ud800" * 20,
        lambda _: "scale_" + "9" * 1_000_000,
        lambda text: text.rpartition("_")[0] + "_" + "0" * 64,
    ],
)
async def test_what_is_not_exactly_the_token_is_nobody(desk: Desk, spoil: object) -> None:
    made = await desk.made()
    assert callable(spoil)
    assert await desk.access.check_token(spoil(made.text), HERE) is None
    assert await desk.role_of(made.text) is Role.OPERATOR


async def test_a_tokens_secret_opens_no_other_token(desk: Desk) -> None:
    first, second = await desk.made("first"), await desk.made("second")
    secret = second.text.split("_", 2)[2]
    assert await desk.role_of(f"scale_{first.token.id}_{secret}") is None


async def test_a_token_ends_at_the_moment_it_expires_however_fresh_it_was_read(desk: Desk) -> None:
    made = await desk.made(days=1)
    desk.clock.advance(DAY_S - 0.5)
    assert await desk.role_of(made.text) is Role.OPERATOR
    desk.clock.advance(0.5)
    assert await desk.role_of(made.text) is None


async def test_a_token_without_an_end_lasts(desk: Desk) -> None:
    made = await desk.made(days=0)
    desk.clock.advance(10_000 * DAY_S)
    assert await desk.role_of(made.text) is Role.OPERATOR


async def test_a_revoked_token_ends_at_once(desk: Desk) -> None:
    made, other = await desk.made(), await desk.made("other")
    assert await desk.role_of(made.text) is Role.OPERATOR
    with calling("ada", Role.ADMIN):
        await desk.access.revoke_token(made.token.id)
    assert await desk.role_of(made.text) is None
    assert await desk.role_of(other.text) is Role.OPERATOR


async def test_what_another_process_revokes_ends_when_the_tokens_are_read_again(desk: Desk) -> None:
    made = await desk.made()
    assert await desk.role_of(made.text) is Role.OPERATOR
    await desk.store.revoke_token(made.token.id, 0.0)
    assert await desk.role_of(made.text) is Role.OPERATOR
    desk.clock.advance(FRESH_S)
    assert await desk.role_of(made.text) is None


async def test_requests_within_a_few_seconds_ask_the_database_once(desk: Desk) -> None:
    made = await desk.made()
    await desk.role_of(made.text)
    before = desk.store.asked
    for _ in range(100):
        await desk.role_of(made.text)
        await desk.role_of("scale_000000000000_wrong")
    assert desk.store.asked == before


async def test_a_token_goes_on_while_the_database_is_away(desk: Desk) -> None:
    made = await desk.made()
    await desk.role_of(made.text)
    desk.store.broken = AWAY
    desk.clock.advance(FRESH_S)
    assert await desk.role_of(made.text) is Role.OPERATOR
    desk.clock.advance(31 * DAY_S)
    assert await desk.role_of(made.text) is None


async def test_before_any_token_was_read_a_database_that_is_away_is_told(desk: Desk) -> None:
    desk.store.broken = AWAY
    with pytest.raises(StoreUnavailable):
        await desk.access.check_token("scale_a_b", HERE)


async def test_nobody_makes_a_token_above_their_own_role(desk: Desk) -> None:
    with calling("bob", Role.OPERATOR):
        assert (await desk.access.make_token("mine", Role.OPERATOR)).token.owner == "bob"
        with pytest.raises(NotPermitted, match="bob is operator here, and making a token with the role admin needs"):
            await desk.access.make_token("more", Role.ADMIN)
        assert [token.name for token in await desk.access.tokens()] == ["mine"]


async def test_each_sees_and_revokes_their_own_and_an_admin_everybodys(desk: Desk) -> None:
    await desk.made("of ada")
    with calling("bob", Role.VIEWER):
        mine = await desk.access.make_token("of bob", Role.VIEWER)
        assert [token.name for token in await desk.access.tokens()] == ["of bob"]
    with calling("eve", Role.OPERATOR):
        assert await desk.access.tokens() == []
        with pytest.raises(TokenNotFound):
            await desk.access.revoke_token(mine.token.id)
    assert await desk.role_of(mine.text) is Role.VIEWER
    with calling("ada", Role.ADMIN):
        assert {token.name for token in await desk.access.tokens()} == {"of ada", "of bob"}
        await desk.access.revoke_token(mine.token.id)
    assert await desk.role_of(mine.text) is None


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_a_token_below_admin_makes_none_and_ends_itself_alone(desk: Desk, role: Role) -> None:
    with calling("ada", Role.ADMIN):
        other, made = await desk.access.make_token("other"), await desk.access.make_token("first", role)
    known = await desk.access.check_token(made.text, HERE)
    assert known
    with calling(known.name, known.role, SignIn.TOKEN, known.key):
        with pytest.raises(NotPermitted, match="making a token with a token needs the role admin"):
            await desk.access.make_token("heir", Role.VIEWER)
        with pytest.raises(TokenNotFound):
            await desk.access.revoke_token(other.token.id)
        assert [token.name for token in await desk.access.tokens()] == ["first"]
        await desk.access.revoke_token(made.token.id)
    assert await desk.role_of(made.text) is None
    assert await desk.role_of(other.text) is Role.VIEWER


async def test_what_an_admins_token_makes_belongs_to_its_owner(desk: Desk) -> None:
    with calling("ada", Role.ADMIN):
        made = await desk.access.make_token("first", Role.ADMIN)
    known = await desk.access.check_token(made.text, HERE)
    assert known
    with calling(known.name, known.role, SignIn.TOKEN, known.key):
        second = await desk.access.make_token("second", Role.VIEWER)
        assert second.token.owner == "ada"
        assert {token.name for token in await desk.access.tokens()} == {"first", "second"}
    with calling(known.name, known.role, SignIn.TOKEN, "gone"), pytest.raises(NotSignedIn):
        await desk.access.make_token("third", Role.VIEWER)


async def test_nobody_does_nothing(desk: Desk) -> None:
    for asked in (desk.access.tokens(), desk.access.make_token("x"), desk.access.revoke_token("x")):
        with pytest.raises(NotSignedIn):
            await asked


@pytest.mark.parametrize("days", [-1.0, float("nan"), float("inf"), 3_651.0])
async def test_days_that_cannot_be_are_refused(desk: Desk, days: float) -> None:
    with pytest.raises(PlanError, match="days"):
        await desk.made(days=days)
    assert await desk.store.tokens() == []


@pytest.mark.parametrize("name", ["", " x", "a\nb", "x" * 81, "a/b"])
async def test_names_that_cannot_be_are_refused(desk: Desk, name: str) -> None:
    with pytest.raises(PlanError, match="name"):
        await desk.made(name)


async def test_one_person_cannot_use_up_the_tokens_of_all(desk: Desk) -> None:
    with calling("eve", Role.VIEWER):
        for number in range(MOST_OF_ONE):
            last = await desk.access.make_token(f"t{number}")
        with pytest.raises(PlanError, match="eve has 100 valid tokens"):
            await desk.access.make_token("one more")
    await desk.made()
    with calling("eve", Role.VIEWER):
        await desk.access.revoke_token(last.token.id)
        await desk.access.make_token("one more")


async def test_ten_thousand_wrong_tokens_are_slowed_down_and_make_one_entry(desk: Desk) -> None:
    made = await desk.made()
    for number in range(10_000):
        await desk.access.check_token(f"scale_{number}_{number}", HERE)
    assert desk.naps == [DELAY_S] * (10_000 - AT_ONCE)
    await desk.access.look()
    (entry,) = desk.noted
    assert (entry.subject, entry.address, entry.allowed) == ("10,000 wrong tokens", HERE, False)
    desk.naps.clear()
    assert await desk.role_of(made.text) is Role.OPERATOR
    assert desk.naps == []
    await desk.access.look()
    assert desk.noted == [entry]


async def test_wrong_tokens_of_many_addresses_take_little_memory_and_one_entry(desk: Desk) -> None:
    for number in range(3 * MOST_ADDRESSES):
        await desk.access.check_token("scale_x_y", f"10.0.{number // 250}.{number % 250}")
    await desk.access.look()
    (entry,) = desk.noted
    assert entry.subject == "3,000 wrong tokens"
    assert entry.address == "other addresses"
    assert "some from 1,000 other addresses" in entry.reason


async def test_wrong_tokens_are_slowed_down_however_many_come_at_once() -> None:
    desk, woken = Desk(), asyncio.Event()

    async def wait(_seconds: float) -> None:
        await woken.wait()

    access = Access(desk.store, desk.clock, desk.noted.append, sleep=wait)
    asked = [asyncio.create_task(access.check_token("scale_x_y", HERE)) for _ in range(500)]
    for _ in range(1_000):
        await asyncio.sleep(0)
    assert sum(each.done() for each in asked) == AT_ONCE
    woken.set()
    assert set(await asyncio.gather(*asked)) == {None}


async def test_the_last_use_is_noted_once_a_minute_and_not_while_a_request_waits(desk: Desk) -> None:
    made = await desk.made()
    for _ in range(50):
        await desk.role_of(made.text)
    assert desk.store.noted_uses == 0
    used_at_s = desk.clock.epoch_s()
    desk.clock.advance(EVERY_S)
    await desk.access.look()
    await desk.access.look()
    assert desk.store.noted_uses == 1
    assert (await desk.store.tokens())[0].last_used_at_epoch_s == used_at_s


async def test_a_use_that_could_not_be_noted_is_noted_later(desk: Desk) -> None:
    made = await desk.made()
    await desk.role_of(made.text)
    desk.store.broken = AWAY
    await desk.access.look()
    desk.store.broken = None
    await desk.access.look()
    assert (await desk.store.tokens())[0].last_used_at_epoch_s is not None


@pytest.mark.parametrize(("days", "kept"), [(400.0, 1), (401.0, 2), (0.0, 2)])
async def test_the_audit_log_is_kept_for_so_many_days(days: float, kept: int) -> None:
    desk = Desk(audit_days=days)
    for age_days in (400.5, 399.5):
        at_s = desk.clock.epoch_s() - age_days * DAY_S
        await desk.store.add_audit(AuditEntry(at_s, "ada", "admin", "starting a run", "", HERE, allowed=True))
    await desk.access.look()
    assert len(await desk.access.audit_entries(9, 0)) == kept


async def test_a_token_that_is_revoked_while_the_tokens_are_read_is_not_believed(desk: Desk) -> None:
    made = await desk.made()
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = desk.store.valid_tokens

    async def slowly(now_epoch_s: float) -> object:
        found = await read(now_epoch_s)
        reading.set()
        await go_on.wait()
        return found

    desk.store.valid_tokens = slowly  # type: ignore[assignment, method-assign]
    asked = asyncio.create_task(desk.role_of(made.text))
    await reading.wait()
    with calling("ada", Role.ADMIN):
        await desk.access.revoke_token(made.token.id)
    go_on.set()
    assert await asked is None
