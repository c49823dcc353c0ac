from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.domain.identity import Person, Role, WithoutRole
from scale_app.domain.sign_in import LONGEST_TARGET, SignInRefused, SignInUnavailable, path_here
from scale_app.service import sign_in
from scale_app.service.browser_sessions import BrowserSessions
from scale_app.service.sign_in import ATTEMPT_S, SignInFlow
from tests.fakes import FakeClock
from tests.fakes_access import FakeAccessStore
from tests.fakes_sign_in import FakeAudit, FakeProvider

ADA, EVE = Person("ada@example.org", ("sre",)), Person("eve@example.org", ("visitors",))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(one=ADA, two=ADA, three=ADA, eve=EVE)


@pytest.fixture
def flow(provider: FakeProvider, clock: FakeClock) -> SignInFlow:
    return SignInFlow(
        provider, BrowserSessions(FakeAccessStore(), clock, {"sre": Role.OPERATOR}, secure=True), clock, FakeAudit()
    )


async def test_a_sign_in_begins_a_session(flow: SignInFlow) -> None:
    attempt, address = await flow.begin("/runs")
    assert address == f"https://idp.example/authorize?state={attempt.state}"
    principal = await flow.sessions.principal(await flow.finish(attempt, attempt.state, "one", "10.0.0.1"))
    assert principal is not None
    assert principal.name == "ada@example.org"


async def test_no_two_attempts_have_anything_in_common(flow: SignInFlow) -> None:
    attempts = [(await flow.begin("/"))[0] for _ in range(3)]
    assert len({text for each in attempts for text in (each.state, each.nonce, each.verifier)}) == 9


async def test_the_way_back_needs_the_state_of_this_browsers_attempt(flow: SignInFlow) -> None:
    attempt, _ = await flow.begin("/")
    other, _ = await flow.begin("/")
    for kept, state in ((None, attempt.state), (other, attempt.state), (attempt, ""), (attempt, "ä")):
        with pytest.raises(SignInRefused):
            await flow.finish(kept, state, "one", "10.0.0.1")
    assert await flow.finish(attempt, attempt.state, "one", "10.0.0.1")


async def test_a_state_counts_once_even_with_a_new_code(flow: SignInFlow) -> None:
    attempt, _ = await flow.begin("/")
    assert await flow.finish(attempt, attempt.state, "one", "10.0.0.1")
    with pytest.raises(SignInRefused, match="Signing in did not succeed"):
        await flow.finish(attempt, attempt.state, "two", "10.0.0.1")


async def test_what_is_noted_of_used_states_is_bounded(
    flow: SignInFlow, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sign_in, "MOST_USED", 2)
    for code in ("one", "two", "three"):
        attempt, _ = await flow.begin("/")
        await flow.finish(attempt, attempt.state, code, "10.0.0.1")
    assert len(flow._used) == 2
    clock.advance(ATTEMPT_S + 1)
    attempt, _ = await flow.begin("/")
    with pytest.raises(WithoutRole):
        await flow.finish(attempt, attempt.state, "eve", "10.0.0.1")
    assert len(flow._used) == 1


async def test_what_the_provider_refuses_is_refused(flow: SignInFlow) -> None:
    attempt, _ = await flow.begin("/")
    with pytest.raises(SignInRefused):
        await flow.finish(attempt, attempt.state, "unknown", "10.0.0.1")
    changed, _ = await flow.begin("/")
    with pytest.raises(SignInRefused):
        await flow.finish(replace(changed, nonce="x" * 43), changed.state, "one", "10.0.0.1")


async def test_a_provider_that_is_away_does_not_end_sessions(flow: SignInFlow, provider: FakeProvider) -> None:
    attempt, _ = await flow.begin("/")
    secret = await flow.finish(attempt, attempt.state, "one", "10.0.0.1")
    provider.broken = SignInUnavailable("Nobody can sign in now.")
    with pytest.raises(SignInUnavailable):
        await flow.begin("/")
    assert await flow.sessions.principal(secret)


@pytest.mark.parametrize("target", ["/", "/runs", "/runs/abc?window=60", "/compare?runs=a,b", "/a//b"])
def test_a_path_here_is_where_one_comes_back_to(target: str) -> None:
    assert path_here(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "/ä",
        "/\0",
        "/a\\b",
        "javascript:alert(1)",
        "/runs\r\nSet-Cookie: scale=x",
        "/" + "x" * LONGEST_TARGET,
    ],
    ids=repr,
)
def test_another_place_is_not(target: str) -> None:
    assert path_here(target) == "/"
