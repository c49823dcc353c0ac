"""Signing in at an identity provider: what it really answers over HTTP, and every lie."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import RSAKey

from scale_app.adapters.oidc import AWAY_S, CLOCK_SKEW_S, KEPT_S, OpenIdProvider
from scale_app.domain.identity import Person
from scale_app.domain.sign_in import SignInAttempt, SignInRefused, SignInUnavailable
from scale_app.identity_settings import OidcSettings
from tests.fakes import FakeClock
from tests.mock_issuer import CLIENT_ID, CLIENT_SECRET, MockIssuer, mock_issuer

BACK = "https://scale.example/auth/callback"
ATTEMPT = SignInAttempt("s" * 43, "n" * 43, "v" * 43)


@pytest.fixture
def issuer() -> Iterator[MockIssuer]:
    with mock_issuer() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(time.time())


@pytest.fixture
def provider(issuer: MockIssuer, clock: FakeClock) -> OpenIdProvider:
    issuer.now_epoch_s = clock.epoch_s
    return provider_of(issuer, clock)


def provider_of(mock: MockIssuer, clock: FakeClock, **changed: Any) -> OpenIdProvider:
    usual = {"issuer": mock.url, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return OpenIdProvider(OidcSettings(**usual | changed), BACK, clock)


async def code_of(provider: OpenIdProvider, issuer: MockIssuer, attempt: SignInAttempt = ATTEMPT) -> str:
    """What the browser brings back, once the person has agreed."""
    asked = parse_qs(urlsplit(await provider.address(attempt)).query)
    back = issuer.authorize({name: values[0] for name, values in asked.items()})
    assert back.startswith(BACK)
    brought = parse_qs(urlsplit(back).query)
    assert brought["state"] == [attempt.state]
    return brought["code"][0]


async def signed_in(provider: OpenIdProvider, issuer: MockIssuer) -> Person:
    return await provider.person(ATTEMPT, await code_of(provider, issuer))


async def test_the_browser_is_sent_to_the_provider_with_state_nonce_and_challenge(
    provider: OpenIdProvider, issuer: MockIssuer
) -> None:
    address = urlsplit(await provider.address(ATTEMPT))
    asked = parse_qs(address.query)
    assert f"{address.scheme}://{address.netloc}{address.path}" == f"{issuer.url}/authorize"
    assert (asked["state"], asked["nonce"], asked["redirect_uri"]) == ([ATTEMPT.state], [ATTEMPT.nonce], [BACK])
    assert asked["code_challenge_method"] == ["S256"]
    assert "openid" in asked["scope"][0].split()
    assert ATTEMPT.verifier not in address.query


async def test_who_came_back_has_the_verified_address_as_name_and_the_groups(
    provider: OpenIdProvider, issuer: MockIssuer
) -> None:
    assert await signed_in(provider, issuer) == Person("ada@example.org", ("sre",))


async def test_an_address_that_nobody_verified_is_not_the_name(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    issuer.claims |= {"email": "admin@example.org", "email_verified": False, "preferred_username": "mallory"}
    assert (await signed_in(provider, issuer)).name == "mallory"


async def test_without_address_and_name_it_is_the_subject(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    issuer.claims = {"groups": "just-one"}
    assert await signed_in(provider, issuer) == Person("u-1", ("just-one",))


async def test_a_name_brings_no_control_characters(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    issuer.claims = {"preferred_username": "ada\r\nX-Role: admin\0" + "x" * 9_999, "groups": [7, None, "a\nb", ""]}
    person = await signed_in(provider, issuer)
    assert person.name.startswith("adaX-Role: adminx")
    assert len(person.name) == 200
    assert person.groups == ("ab",)


async def test_groups_come_from_the_claim_that_the_settings_name(issuer: MockIssuer, clock: FakeClock) -> None:
    issuer.claims |= {"roles": ["platform"]}
    provider = provider_of(issuer, clock, groups_claim="roles")
    assert (await signed_in(provider, issuer)).groups == ("platform",)


@pytest.mark.parametrize("groups", [None, 7, {"sre": True}, [["sre"]]], ids=str)
async def test_groups_that_are_no_list_of_names_are_none(
    provider: OpenIdProvider, issuer: MockIssuer, groups: object
) -> None:
    issuer.claims |= {"groups": groups}
    assert (await signed_in(provider, issuer)).groups == ()


LIES: dict[str, dict[str, object]] = {
    "another issuer": {"iss": "https://elsewhere.example"},
    "another audience": {"aud": "shop"},
    "another audience, asked for by us": {"aud": "shop", "azp": CLIENT_ID},
    "one audience more, and nobody says for whom": {"aud": [CLIENT_ID, "shop"]},
    "for another party": {"azp": "shop"},
    "another nonce": {"nonce": "m" * 43},
    "an expiry that is no number": {"exp": "never"},
    "another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
}


@pytest.mark.parametrize("lie", LIES)
async def test_an_id_token_with_a_wrong_claim_is_refused(
    provider: OpenIdProvider, issuer: MockIssuer, lie: str
) -> None:
    issuer.claims |= LIES[lie]
    with pytest.raises(SignInRefused):
        await signed_in(provider, issuer)


@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat", "nonce"])
async def test_an_id_token_without_a_claim_is_refused(provider: OpenIdProvider, issuer: MockIssuer, claim: str) -> None:
    issuer.without = (claim,)
    with pytest.raises(SignInRefused):
        await signed_in(provider, issuer)


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
async def test_clocks_may_differ_by_a_minute_and_no_more(
    provider: OpenIdProvider, issuer: MockIssuer, clock: FakeClock, claim: str
) -> None:
    sign = -1 if claim == "exp" else 1
    issuer.claims |= {claim: int(clock.epoch_s()) + sign * (CLOCK_SKEW_S - 5)}
    assert await signed_in(provider, issuer)
    issuer.claims |= {claim: int(clock.epoch_s()) + sign * (CLOCK_SKEW_S + 5)}
    with pytest.raises(SignInRefused):
        await signed_in(provider, issuer)


FORGERIES: dict[str, Callable[[MockIssuer, dict[str, Any]], str]] = {
    "not signed": MockIssuer.unsigned,
    "signed by the public key as a secret": MockIssuer.signed_by_the_public_key,
    "signed by another key": MockIssuer.signed_by_another_key,
    "changed after it was signed": lambda issuer, claims: _changed(issuer.sign(claims)),
    "cut off": lambda issuer, claims: issuer.sign(claims)[:-9],
    "no token": lambda _issuer, _claims: "hello",
    "empty": lambda _issuer, _claims: "",
}


def _changed(token: str) -> str:
    head, _, end = token.split(".")
    return f"{head}.{MockIssuer().unsigned({'sub': 'admin'}).split('.')[1]}.{end}"


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_forged_id_token_is_refused(provider: OpenIdProvider, issuer: MockIssuer, forgery: str) -> None:
    issuer.signer = lambda claims: FORGERIES[forgery](issuer, claims)
    with pytest.raises(SignInRefused):
        await signed_in(provider, issuer)


async def test_a_secret_in_the_key_set_signs_nothing(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    secret = base64.urlsafe_b64encode(issuer.key.as_pem(private=False)).decode().rstrip("=")
    issuer.published = [{"kty": "oct", "k": secret, "kid": issuer.kid}, *issuer.keys()["keys"]]
    issuer.signer = issuer.signed_by_the_public_key
    with pytest.raises(SignInRefused):
        await signed_in(provider, issuer)


async def test_a_code_counts_once(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    code = await code_of(provider, issuer)
    assert await provider.person(ATTEMPT, code)
    with pytest.raises(SignInRefused, match="Signing in did not succeed"):
        await provider.person(ATTEMPT, code)


async def test_a_code_that_was_stolen_is_worth_nothing_without_the_verifier(
    provider: OpenIdProvider, issuer: MockIssuer
) -> None:
    code = await code_of(provider, issuer)
    with pytest.raises(SignInRefused):
        await provider.person(SignInAttempt(ATTEMPT.state, ATTEMPT.nonce, "w" * 43), code)


async def test_a_code_of_another_sign_in_is_refused(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    code = await code_of(provider, issuer, SignInAttempt("t" * 43, "m" * 43, ATTEMPT.verifier))
    with pytest.raises(SignInRefused):
        await provider.person(ATTEMPT, code)


async def test_a_wrong_client_secret_is_a_refusal_whose_reason_is_for_the_log(
    issuer: MockIssuer, clock: FakeClock
) -> None:
    with pytest.raises(SignInRefused) as refused:
        await signed_in(provider_of(issuer, clock, client_secret="wrong"), issuer)
    assert "invalid_client" in refused.value.reason
    assert "invalid_client" not in str(refused.value)
    assert "wrong" not in refused.value.reason


async def test_a_provider_that_takes_the_secret_only_in_the_body_gets_it_there(
    provider: OpenIdProvider, issuer: MockIssuer
) -> None:
    issuer.says = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert await signed_in(provider, issuer)


async def test_a_provider_is_asked_about_itself_once_an_hour(
    provider: OpenIdProvider, issuer: MockIssuer, clock: FakeClock
) -> None:
    for _ in range(3):
        await signed_in(provider, issuer)
    assert issuer.asked.count("/keys") == 1
    clock.advance(KEPT_S + 1)
    await provider.address(ATTEMPT)
    assert issuer.asked.count("/keys") == 2


async def test_a_new_key_is_learnt_at_once(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    await signed_in(provider, issuer)
    issuer.key, issuer.kid = RSAKey.generate_key(2048), "second"
    assert await signed_in(provider, issuer)


async def test_keys_of_kinds_that_nobody_knows_do_no_harm(provider: OpenIdProvider, issuer: MockIssuer) -> None:
    issuer.published = [{"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"}, *issuer.keys()["keys"]]
    assert await signed_in(provider, issuer)


async def test_a_provider_that_is_away_is_a_sentence_and_comes_back(
    provider: OpenIdProvider, issuer: MockIssuer, clock: FakeClock
) -> None:
    issuer.away = True
    with pytest.raises(SignInUnavailable, match="Nobody can sign in now"):
        await provider.address(ATTEMPT)
    issuer.away = False
    clock.advance(AWAY_S)
    code = await code_of(provider, issuer)
    issuer.away = True
    with pytest.raises(SignInUnavailable):
        await provider.person(ATTEMPT, code)


async def test_a_provider_that_is_away_is_asked_once_in_ten_seconds_however_many_want_to_sign_in(
    provider: OpenIdProvider, issuer: MockIssuer, clock: FakeClock
) -> None:
    issuer.away = True
    tried = await asyncio.gather(*(provider.address(ATTEMPT) for _ in range(20)), return_exceptions=True)
    assert {type(each) for each in tried} == {SignInUnavailable}
    assert len(issuer.asked) == 1
    issuer.away = False
    clock.advance(AWAY_S - 0.1)
    with pytest.raises(SignInUnavailable):
        await provider.address(ATTEMPT)
    assert len(issuer.asked) == 1
    clock.advance(0.1)
    assert await signed_in(provider, issuer)


async def test_what_is_known_of_a_provider_is_used_while_it_is_away(
    provider: OpenIdProvider, issuer: MockIssuer
) -> None:
    await provider.address(ATTEMPT)
    issuer.away = True
    assert (await provider.address(ATTEMPT)).startswith(f"{issuer.url}/authorize")


async def test_a_port_where_nobody_listens_is_a_provider_that_is_away(issuer: MockIssuer, clock: FakeClock) -> None:
    with pytest.raises(SignInUnavailable):
        await provider_of(issuer, clock, issuer="http://127.0.0.1:9").address(ATTEMPT)


@pytest.mark.parametrize(
    "says",
    [
        {"issuer": "https://elsewhere.example"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": "http://elsewhere.example/token"},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_a_provider_that_describes_itself_wrongly_is_not_used(
    provider: OpenIdProvider, issuer: MockIssuer, says: dict[str, Any]
) -> None:
    issuer.says = says
    with pytest.raises(SignInUnavailable):
        await provider.address(ATTEMPT)
