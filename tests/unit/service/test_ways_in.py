"""Who asks is found by token, proxy, session, in this order; headers of a proxy count from its own addresses alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from scale_app.domain.identity import LOCAL_USER, Caller, Principal, Role, SignIn, WithoutRole
from scale_app.identity_settings import IdentitySettings, ProxySettings
from scale_app.service.proxy_headers import BadProxyHeaders, ProxyHeaders
from scale_app.service.ways_in import WaysIn

PROXY, STRANGER = "10.1.0.7", "192.0.2.66"
SETTINGS = IdentitySettings(
    roles={"*": Role.VIEWER, "sre": Role.OPERATOR, "platform": Role.ADMIN}, proxy=ProxySettings(("10.1.0.0/16",))
)
ADA = [(b"x-forwarded-user", b"ada"), (b"x-forwarded-groups", b"staff, sre")]
BOT = Principal("deploy", Role.OPERATOR, SignIn.TOKEN)
EVE = Principal("eve", Role.VIEWER, SignIn.OIDC)


@dataclass
class Known:
    """Whose token and session there are; asked: what was looked up."""

    tokens: dict[str, Principal] = field(default_factory=lambda: {"scale_1_x": BOT})
    sessions: dict[str, Principal] = field(default_factory=lambda: {"scale=s": EVE})
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def token(self, text: str, address: str) -> Principal | None:
        self.asked.append((text, address))
        return self.tokens.get(text)

    async def session(self, cookies: str) -> Principal | None:
        return self.sessions.get(cookies)


def ways(known: Known | None = None, settings: IdentitySettings = SETTINGS, open_to_all: bool = False) -> WaysIn:
    known = known or Known()
    return WaysIn(ProxyHeaders(settings.proxy), settings, known.token, known.session, open_to_all)


async def test_a_proxy_says_who_asks_and_the_groups_give_the_role() -> None:
    ada = Principal("ada", Role.OPERATOR, SignIn.PROXY, ("staff", "sre"))
    assert await ways().caller(ADA, PROXY) == Caller(ada, PROXY)


async def test_the_email_address_is_the_name_where_there_is_one() -> None:
    found = await ways().caller([*ADA, (b"x-forwarded-email", b"ada@example.org")], PROXY)
    assert found is not None
    assert found.principal.name == "ada@example.org"


@pytest.mark.parametrize("address", [STRANGER, "10.2.0.1", "", "not an address", "::1", "fe80::1%eth0"])
async def test_nobody_else_says_so(address: str) -> None:
    assert await ways().caller(ADA, address) is None


async def test_an_ipv4_address_written_as_ipv6_is_the_same_address() -> None:
    assert await ways().caller(ADA, "::ffff:10.1.0.7") is not None
    assert await ways().caller(ADA, "::ffff:10.2.0.7") is None


async def test_mixed_case_is_the_same_header() -> None:
    found = await ways().caller([(b"X-FORWARDED-User", b"ada")], PROXY)
    assert found is not None
    assert found.principal == Principal("ada", Role.VIEWER, SignIn.PROXY)


@pytest.mark.parametrize(
    "further",
    [
        (b"x-forwarded-user", b"root"),
        (b"X-Forwarded-User", b"ada"),
        (b"x_forwarded_user", b"root"),
        (b"X-Forwarded_Groups", b"platform"),
        (b"x-forwarded-groups", b"platform"),
    ],
)
async def test_a_header_that_comes_twice_is_refused(further: tuple[bytes, bytes]) -> None:
    for told in ([*ADA, further], [further, *ADA]):
        with pytest.raises(BadProxyHeaders):
            await ways().caller(told, PROXY)


@pytest.mark.parametrize("name", [b"x_forwarded_user", b"X_Forwarded-User", b"x-forwarded_user"])
async def test_a_header_with_underscores_names_nobody(name: bytes) -> None:
    assert await ways().caller([(name, b"root")], PROXY) is None


async def test_groups_that_only_another_family_of_headers_brings_are_not_read() -> None:
    told = [(b"x-forwarded-user", b"ada"), (b"x-auth-request-groups", b"platform")]
    found = await ways().caller(told, PROXY)
    assert found is not None
    assert found.principal.role is Role.VIEWER


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-forwarded-user", b"ada\r\nx: y"),
        (b"x-forwarded-user", b"ada\x00"),
        (b"x-forwarded-user", b"ada\x9b31m"),
        (b"x-forwarded-user", "ada\u202etoor".encode()),
        (b"x-forwarded-groups", b"sre\x85"),
        (b"x-forwarded-user", b"ada, root"),
        (b"x-forwarded-user", b"a" * 257),
        (b"x-forwarded-email", b"a" * 1_000_000),
        (b"x-forwarded-groups", b"g," * 10_000),
        (b"x-forwarded-groups", b"sre\nplatform"),
    ],
)
async def test_a_value_that_no_proxy_sends_is_refused(name: bytes, value: bytes) -> None:
    others = [pair for pair in ADA if pair[0] != name]
    with pytest.raises(BadProxyHeaders):
        await ways().caller([*others, (name, value)], PROXY)


async def test_whoever_has_no_role_is_refused_by_name() -> None:
    strict = IdentitySettings(roles={"platform": Role.ADMIN}, proxy=SETTINGS.proxy)
    with pytest.raises(WithoutRole, match="ada is signed in, but none of the person's groups"):
        await ways(settings=strict).caller(ADA, PROXY)


async def test_every_usual_header_is_removed_whatever_its_spelling() -> None:
    kept = [(b"host", b"scale.example"), (b"x-forwarded-for", b"1.2.3.4"), (b"x-forwarded-proto", b"https")]
    told = [
        *ADA, (b"X_Forwarded_User", b"a"), (b"x-auth-request-groups", b"platform"), (b"X-Auth-Request-Email", b"a"),
        (b"x-forwarded-preferred-username", b"a"),
    ]  # fmt: skip
    assert ProxyHeaders(ProxySettings()).without([*told, *kept]) == kept


async def test_the_headers_that_the_operator_named_are_read_and_removed() -> None:
    own = ProxySettings(("10.1.0.0/16",), user_header="X-Who", groups_header="X-Teams")
    told = [(b"x-who", b"ada"), (b"x-teams", b"platform"), (b"x-forwarded-groups", b"sre")]
    found = await ways(settings=IdentitySettings(roles=SETTINGS.roles, proxy=own)).caller(told, PROXY)
    assert found is not None
    assert found.principal == Principal("ada", Role.ADMIN, SignIn.PROXY, ("platform",))
    assert ProxyHeaders(own).without(told) == []


async def test_a_token_comes_first() -> None:
    known = Known()
    told = [(b"authorization", b"Bearer scale_1_x"), *ADA, (b"cookie", b"scale=s")]
    assert await ways(known).caller(told, PROXY) == Caller(BOT, PROXY)
    assert known.asked == [("scale_1_x", PROXY)]


async def test_a_wrong_token_is_nobody_though_a_session_comes_with_it() -> None:
    told = [(b"authorization", b"bearer scale_1_y"), (b"cookie", b"scale=s")]
    assert await ways().caller(told, STRANGER) is None
    assert await ways(open_to_all=True).caller(told, STRANGER) is None


async def test_a_token_that_the_proxy_got_from_the_identity_provider_is_not_taken_for_ours() -> None:
    found = await ways().caller([(b"authorization", b"Bearer eyJhbGciOi"), *ADA], PROXY)
    assert found is not None
    assert found.principal.name == "ada"


async def test_two_tokens_are_refused() -> None:
    with pytest.raises(BadProxyHeaders):
        await ways().caller([(b"authorization", b"Bearer scale_1_x"), (b"Authorization", b"Bearer a")], STRANGER)


async def test_other_credentials_are_none_of_ours() -> None:
    assert await ways().caller([(b"authorization", b"Basic YTpi"), (b"cookie", b"scale=s")], STRANGER) == Caller(
        EVE, STRANGER
    )


async def test_where_nobody_signs_in_everybody_is_the_local_user_whatever_the_headers_say() -> None:
    assert await ways(settings=IdentitySettings(), open_to_all=True).caller(ADA, "127.0.0.1") == Caller(
        LOCAL_USER, "127.0.0.1"
    )
    assert await ways().caller([], "127.0.0.1") is None


@pytest.mark.parametrize(
    ("told", "address", "client"),
    [
        ([b"203.0.113.5"], PROXY, "203.0.113.5"),
        ([b"6.6.6.6, 203.0.113.5, 10.1.0.9"], PROXY, "203.0.113.5"),
        ([b"6.6.6.6", b"203.0.113.5"], PROXY, "203.0.113.5"),
        ([b"10.1.0.3"], PROXY, "10.1.0.3"),
        ([b"nonsense, 10.1.0.3"], PROXY, "10.1.0.3"),
        ([b"<script>"], PROXY, PROXY),
        ([], PROXY, PROXY),
        ([b"203.0.113.5"], STRANGER, STRANGER),
    ],
)
async def test_the_client_is_the_last_address_that_is_no_proxy(told: list[bytes], address: str, client: str) -> None:
    headers = [*((b"X-Forwarded-For", value) for value in told), (b"authorization", b"Bearer scale_1_x")]
    found = await ways().caller(headers, address)
    assert found is not None
    assert found.address == client
