"""An identity provider that speaks OpenID Connect: the code flow with PKCE, by Authlib.

What the provider says of itself (discovery) and its keys are asked once an hour, and the keys again when a token names
one that is not known; a provider that did not answer is asked again after AWAY_S, however many want to sign in. An ID
token counts only when one of the provider's own keys signed it by an algorithm of ALGORITHMS, for this server, in
answer to this very sign-in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx2
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oauth2.claims import ClaimsOption
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from scale_app.domain.errors import named
from scale_app.domain.identity import Person
from scale_app.domain.sign_in import SignInAttempt, SignInRefused, SignInUnavailable
from scale_app.identity_settings import HTTPS_OR_LOOPBACK, OidcSettings
from scale_app.ports import Clock

log = logging.getLogger(__name__)
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""By a private key alone: never "none", and never by a secret for which somebody might take the public key."""
KEY_KINDS = ("RSA", "EC")
CLOCK_SKEW_S = 60
PATIENCE_S = 10.0
KEPT_S = 3_600.0
AWAY_S = 10.0
"""For so long a provider that did not answer is not asked again: each who asks waits for as long as it is silent."""
AWAY = (
    "Nobody can sign in now: the identity provider did not answer as it should. Whoever is signed in stays so. "
    "Try again in a minute; an admin finds the reason in this server's log."
)
LONGEST_NAME = 200
MOST_GROUPS = 1_000


@dataclass(frozen=True, slots=True)
class Discovered:
    """What the provider says of itself, and its public keys. at_s: when it was asked, monotonic."""

    provider: Mapping[str, Any]
    keys: KeySet
    at_s: float


class OpenIdProvider:
    """The identity provider of the settings. redirect_uri: where it sends browsers back to."""

    def __init__(self, settings: OidcSettings, redirect_uri: str, clock: Clock) -> None:
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._known: Discovered | None = None
        self._away_since_s: float | None = None
        self._asking = asyncio.Lock()
        self._trusted = httpx2.create_ssl_context()

    async def address(self, attempt: SignInAttempt) -> str:
        """Where the browser goes to sign in. Raises SignInUnavailable."""
        async with self._client() as client:
            provider = (await self._discovered(client)).provider
            url, _ = client.create_authorization_url(
                provider["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    async def person(self, attempt: SignInAttempt, code: str) -> Person:
        """Who came back with this code. Raises SignInRefused, SignInUnavailable."""
        async with self._client() as client:
            known = await self._discovered(client)
            try:
                token = await self._exchanged(client, known.provider, attempt, code)
                signed = await self._checked(client, known, token)
                return self._person(signed, token, attempt)
            except httpx2.HTTPError as error:
                raise self._away(error) from error
            except (AuthlibBaseError, JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise SignInRefused(named(error)) from error

    def _client(self) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            self._settings.client_id,
            self._settings.client_secret or None,
            scope=self._settings.scopes,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=PATIENCE_S,
            verify=self._trusted,
        )

    async def _discovered(self, client: AsyncOAuth2Client, anew: bool = False) -> Discovered:
        """As asked within the last hour. anew: ask now. Raises SignInUnavailable."""
        async with self._asking:
            now_s = self._clock.monotonic_s()
            if anew or self._known is None or now_s - self._known.at_s > KEPT_S:
                if self._away_since_s is not None and now_s - self._away_since_s < AWAY_S:
                    raise SignInUnavailable(AWAY)
                self._known = await self._asked_now(client)
            return self._known

    async def _asked_now(self, client: AsyncOAuth2Client) -> Discovered:
        try:
            found = Discovered(*await self._asked(client), self._clock.monotonic_s())
        except (httpx2.HTTPError, httpx2.InvalidURL, JoseError, ValueError, KeyError, TypeError) as error:
            self._away_since_s = self._clock.monotonic_s()
            raise self._away(error) from error
        self._away_since_s = None
        return found

    async def _asked(self, client: AsyncOAuth2Client) -> tuple[Mapping[str, Any], KeySet]:
        place = f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration"
        provider = await _json(client, place)
        if provider["issuer"] != self._settings.issuer:
            raise ValueError(f"it calls itself {str(provider['issuer'])[:200]!r}: set that as SCALE_OIDC_ISSUER")
        for endpoint in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not HTTPS_OR_LOOPBACK.match(str(provider[endpoint])):
                raise ValueError(f"its {endpoint} is no https address")
        return provider, _keys(await _json(client, provider["jwks_uri"]))

    async def _exchanged(
        self, client: AsyncOAuth2Client, provider: Mapping[str, Any], attempt: SignInAttempt, code: str
    ) -> Mapping[str, Any]:
        """The provider's answer to the code, which it gives once."""
        accepted = provider.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if self._settings.client_secret and "client_secret_basic" not in accepted:
            client.token_endpoint_auth_method = "client_secret_post"
        answer: Mapping[str, Any] = await client.fetch_token(
            provider["token_endpoint"], grant_type="authorization_code", code=code, code_verifier=attempt.verifier
        )
        return answer

    async def _checked(self, client: AsyncOAuth2Client, known: Discovered, token: Mapping[str, Any]) -> jwt.Token:
        """The ID token, signed by the provider. Raises JoseError."""
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            return jwt.decode(token["id_token"], known.keys, registry=registry)
        except InvalidKeyIdError:
            newer = await self._discovered(client, anew=True)
            return jwt.decode(token["id_token"], newer.keys, registry=registry)

    def _person(self, signed: jwt.Token, token: Mapping[str, Any], attempt: SignInAttempt) -> Person:
        """Who the ID token is about, if it is for us, now, and for this sign-in. Raises JoseError."""
        wanted: dict[str, ClaimsOption] = {
            "iss": {"essential": True, "value": self._settings.issuer},
            "aud": {"essential": True, "value": self._settings.client_id},
        }
        given = {
            "nonce": attempt.nonce,
            "client_id": self._settings.client_id,
            "access_token": token.get("access_token"),
        }
        claims = CodeIDToken(signed.claims, signed.header, wanted, given)
        claims.validate(now=int(self._clock.epoch_s()), leeway=CLOCK_SKEW_S)
        return Person(_name(claims), _groups(claims.get(self._settings.groups_claim)))

    def _away(self, error: Exception) -> SignInUnavailable:
        log.warning("the identity provider %s did not answer as it should: %s", self._settings.issuer, named(error))
        return SignInUnavailable(AWAY)


async def _json(client: AsyncOAuth2Client, url: str) -> Mapping[str, Any]:
    answer = await client.request("GET", url, withhold_token=True)
    answer.raise_for_status()
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError(f"{url} is no JSON object")
    return found


def _keys(found: Mapping[str, Any]) -> KeySet:
    """Those that may sign; the kinds that nobody here knows are left out."""
    usable = [key for key in found["keys"] if key.get("kty") in KEY_KINDS and key.get("use", "sig") == "sig"]
    return KeySet.import_key_set({"keys": usable})


def _name(claims: Mapping[str, Any]) -> str:
    """An address that nobody verified may be anybody's, so then it is the name that the provider gave."""
    email = claims.get("email") if claims.get("email_verified", True) is True else None
    return _printable(email or claims.get("preferred_username") or claims["sub"])


def _groups(claim: object) -> tuple[str, ...]:
    listed = [claim] if isinstance(claim, str) else claim if isinstance(claim, list) else []
    return tuple(filter(None, (_printable(group) for group in listed[:MOST_GROUPS] if isinstance(group, str))))


def _printable(text: object) -> str:
    return "".join(character for character in str(text) if character.isprintable())[:LONGEST_NAME].strip()
