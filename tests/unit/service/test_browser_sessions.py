from __future__ import annotations

import pytest

from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.identity import Person, Principal, Role, SignIn, WithoutRole
from scale_app.service import browser_sessions
from scale_app.service.browser_sessions import CHECKED_EVERY_S, NEW_PER_S, SESSION_S, BrowserSessions
from tests.fakes import FakeClock
from tests.fakes_access import FakeAccessStore

ROLES = {"staff": Role.VIEWER, "sre": Role.OPERATOR}
ADA = Person("ada@example.org", ("staff", "sre"))
AWAY = StoreUnavailable("The database is away.")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> FakeAccessStore:
    return FakeAccessStore()


@pytest.fixture
def sessions(store: FakeAccessStore, clock: FakeClock) -> BrowserSessions:
    return BrowserSessions(store, clock, ROLES, secure=True)


async def test_a_session_is_the_persons_with_the_highest_role_of_the_groups(sessions: BrowserSessions) -> None:
    principal = await sessions.principal(await sessions.begin(ADA))
    assert principal is not None
    assert (principal.name, principal.role, principal.sign_in) == (ADA.name, Role.OPERATOR, SignIn.OIDC)
    assert principal.groups == ADA.groups


async def test_two_sessions_have_two_secrets_and_neither_is_stored(
    sessions: BrowserSessions, store: FakeAccessStore
) -> None:
    first, second = await sessions.begin(ADA), await sessions.begin(ADA)
    assert first != second
    assert first not in repr(vars(store))
    principal = await sessions.principal(first)
    assert principal is not None
    assert principal.key not in first


async def test_without_a_role_no_session_begins(sessions: BrowserSessions, store: FakeAccessStore) -> None:
    with pytest.raises(WithoutRole, match=r"eve@example\.org is signed in, but none"):
        await sessions.begin(Person("eve@example.org", ("visitors",)))
    assert not store._sessions


@pytest.mark.parametrize("secret", ["", "x", "x" * 42, "x" * 44, "x" * 42 + "\n", "ä" * 43, "x" * 1_000_000], ids=len)
async def test_what_is_no_secret_is_nobodys_and_asks_nothing(
    sessions: BrowserSessions, store: FakeAccessStore, secret: str
) -> None:
    store.broken = AWAY
    assert await sessions.principal(secret) is None
    await sessions.end(secret)


async def test_a_secret_that_nobody_got_is_nobodys(sessions: BrowserSessions) -> None:
    assert await sessions.principal("x" * 43) is None


async def test_a_session_ends_after_twelve_hours_and_not_before(sessions: BrowserSessions, clock: FakeClock) -> None:
    secret = await sessions.begin(ADA)
    clock.advance(SESSION_S - 1)
    assert await sessions.principal(secret)
    clock.advance(1)
    assert await sessions.principal(secret) is None


async def test_signing_out_ends_it_at_once(sessions: BrowserSessions) -> None:
    secret, other = await sessions.begin(ADA), await sessions.begin(ADA)
    assert await sessions.principal(secret)
    await sessions.end(secret)
    assert await sessions.principal(secret) is None
    assert await sessions.principal(other)


async def test_a_session_that_ended_elsewhere_is_noticed_within_seconds(
    sessions: BrowserSessions, store: FakeAccessStore, clock: FakeClock
) -> None:
    secret = await sessions.begin(ADA)
    assert await sessions.principal(secret)
    await BrowserSessions(store, clock, ROLES, secure=True).end(secret)
    clock.advance(CHECKED_EVERY_S + 0.1)
    assert await sessions.principal(secret) is None


async def test_many_requests_ask_the_store_once(
    sessions: BrowserSessions, store: FakeAccessStore, clock: FakeClock
) -> None:
    secret = await sessions.begin(ADA)
    assert await sessions.principal(secret)
    store.broken = AWAY
    clock.advance(CHECKED_EVERY_S)
    assert await sessions.principal(secret)


async def test_while_the_store_is_away_who_was_seen_stays_and_who_was_not_is_told(
    sessions: BrowserSessions, store: FakeAccessStore, clock: FakeClock
) -> None:
    seen, unseen = await sessions.begin(ADA), await sessions.begin(ADA)
    assert await sessions.principal(seen)
    store.broken = AWAY
    clock.advance(3_600)
    assert await sessions.principal(seen)
    with pytest.raises(StoreUnavailable):
        await sessions.principal(unseen)
    clock.advance(SESSION_S)
    assert await sessions.principal(seen) is None


async def test_a_session_that_cannot_be_ended_goes_on_and_says_so(
    sessions: BrowserSessions, store: FakeAccessStore
) -> None:
    secret = await sessions.begin(ADA)
    store.broken = AWAY
    with pytest.raises(StoreUnavailable):
        await sessions.end(secret)
    store.broken = None
    assert await sessions.principal(secret)


async def test_a_role_that_was_taken_away_counts_for_sessions_that_began_before(
    sessions: BrowserSessions, store: FakeAccessStore, clock: FakeClock
) -> None:
    secret = await sessions.begin(ADA)
    fewer = await BrowserSessions(store, clock, {"staff": Role.VIEWER}, secure=True).principal(secret)
    assert fewer is not None
    assert fewer.role is Role.VIEWER
    assert await BrowserSessions(store, clock, {"others": Role.ADMIN}, secure=True).principal(secret) is None


async def test_what_is_remembered_is_bounded(sessions: BrowserSessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser_sessions, "MOST_REMEMBERED", 3)
    secrets = [await sessions.begin(ADA) for _ in range(5)]
    for secret in [*secrets, "x" * 43, "y" * 43]:
        await sessions.principal(secret)
    assert len(sessions._seen) == 3
    assert isinstance(await sessions.principal(secrets[0]), Principal)


async def test_a_cookie_header_holds_the_session_beside_others(sessions: BrowserSessions) -> None:
    secret = await sessions.begin(ADA)
    assert await sessions.of_cookies(f"theme=dark; __Host-scale={secret};other=1")
    assert await sessions.of_cookies(f"scale={secret}; x__Host-scale={secret}") is None
    assert await sessions.of_cookies("") is None


async def test_of_two_sessions_in_one_header_none_counts(sessions: BrowserSessions) -> None:
    secret, other = await sessions.begin(ADA), await sessions.begin(ADA)
    assert await sessions.of_cookies(f"__Host-scale={secret}; __Host-scale={other}") is None


async def test_made_up_cookies_wait_for_their_turn_and_who_is_known_does_not(
    store: FakeAccessStore, clock: FakeClock
) -> None:
    waited_s: list[float] = []

    async def sleep(seconds: float) -> None:
        waited_s.append(seconds)

    sessions = BrowserSessions(store, clock, ROLES, secure=True, sleep=sleep)
    clock.advance(100.0)
    known = await sessions.begin(ADA)
    assert await sessions.principal(known) is not None
    for number in range(NEW_PER_S - 1):
        assert await sessions.principal(f"{number:043}") is None
    assert waited_s == []
    for number in range(NEW_PER_S):
        assert await sessions.principal(f"{number:043}") is None
    assert waited_s[-1] == pytest.approx(1.0)
    waited_s.clear()
    clock.advance(CHECKED_EVERY_S + 1)
    for _ in range(3 * NEW_PER_S):
        assert await sessions.principal(known) is not None
    assert waited_s == []
