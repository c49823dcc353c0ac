"""The way of a browser, with its cookies, over a provider that believes whoever says a name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from scale_app.api.guard import Guard
from scale_app.api.identity import KnownCallers
from scale_app.api.sign_in import SignInRoutes
from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.identity import Person, Role
from scale_app.domain.sign_in import SignInUnavailable
from scale_app.identity_settings import IdentitySettings, ProxySettings
from scale_app.service.browser_sessions import SESSION_S, BrowserSessions
from scale_app.service.proxy_headers import ProxyHeaders
from scale_app.service.sign_in import SignInFlow
from scale_app.service.ways_in import WaysIn
from scale_app.settings import Settings
from tests.fakes import FakeClock
from tests.fakes_access import FakeAccessStore
from tests.fakes_sign_in import FakeAudit, FakeProvider

HTTPS = "https://scale.example"


async def _no_token(_text: str, _address: str) -> None:
    return None


class World:
    """One server and one browser."""

    def __init__(self, secure: bool = True, proxies: tuple[str, ...] = (), address: str = "testclient") -> None:
        """proxies: networks of those that are believed. address: where requests come from."""
        self.store, self.clock, self.audit = FakeAccessStore(), FakeClock(), FakeAudit()
        self.provider = FakeProvider(one=Person("ada@example.org", ("sre",)), eve=Person("<b>eve</b>", ()))
        self.sessions = BrowserSessions(self.store, self.clock, {"sre": Role.OPERATOR}, secure)
        routes = SignInRoutes(SignInFlow(self.provider, self.sessions, self.clock, self.audit)).routes()
        settings = IdentitySettings(proxy=ProxySettings(proxies))
        ways = WaysIn(ProxyHeaders(settings.proxy), settings, _no_token, self.sessions.of_cookies)
        guard = Guard(KnownCallers(Starlette(routes=routes), ways), Settings(allowed_hosts=("scale.example",)))
        origin = HTTPS if secure else HTTPS.replace("https", "http")
        self.browser = TestClient(guard, base_url=origin, follow_redirects=False, client=(address, 4711))

    def begin(self, following: str = "/runs") -> str:
        """Go to the provider; the state."""
        answer = self.browser.get("/auth/login", params={"next": following})
        assert answer.status_code == 303
        return self.provider.attempts[-1].state

    def sign_in(self) -> str:
        """The secret in the cookie."""
        answer = self.browser.get("/auth/callback", params={"state": self.begin(), "code": "one"})
        assert answer.status_code == 303, answer.text
        return str(self.browser.cookies["__Host-scale"])


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.browser:
        yield made


def test_the_browser_goes_to_the_provider_and_comes_back_to_where_it_was(world: World) -> None:
    there = world.browser.get("/auth/login", params={"next": "/runs?state=even"})
    assert there.headers["location"].startswith("https://idp.example/authorize")
    state = world.provider.attempts[0].state
    back = world.browser.get("/auth/callback", params={"state": state, "code": "one"})
    assert (back.status_code, back.headers["location"]) == (303, "/runs?state=even")
    assert "no-store" in back.headers["cache-control"]


async def test_the_session_is_in_a_cookie_that_scripts_and_other_hosts_do_not_get(world: World) -> None:
    state = world.begin()
    back = world.browser.get("/auth/callback", params={"state": state, "code": "one"})
    session, attempt = back.headers.get_list("set-cookie")
    assert session.startswith("__Host-scale=")
    parts = {part.strip().lower() for part in session.split(";")[1:]}
    assert parts == {"httponly", f"max-age={int(SESSION_S)}", "path=/", "samesite=lax", "secure"}
    assert attempt.startswith('__Host-scale-sign-in="";')
    principal = await world.sessions.principal(session.split(";")[0].partition("=")[2])
    assert principal is not None
    assert principal.name == "ada@example.org"


def test_without_https_the_cookie_has_no_prefix_that_a_browser_would_refuse() -> None:
    plain = World(secure=False)
    back = plain.browser.get("/auth/callback", params={"state": plain.begin(), "code": "one"})
    cookie = back.headers.get_list("set-cookie")[0]
    assert cookie.startswith("scale=")
    assert "secure" not in cookie.lower()
    assert "httponly" in cookie.lower()


@pytest.mark.parametrize(
    "elsewhere",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example"),
        *("%2f%2fevil.example", "%2F%2Fevil.example/%2e%2e", "%5c%5cevil.example"),
    ],
)
def test_nobody_is_sent_on_to_another_place(world: World, elsewhere: str) -> None:
    state = world.begin(elsewhere)
    back = world.browser.get("/auth/callback", params={"state": state, "code": "one"})
    assert back.headers["location"] == "/"


def test_what_is_encoded_in_a_path_here_stays_encoded(world: World) -> None:
    state = world.begin("/%2f%2fevil.example/%5cevil.example")
    back = world.browser.get("/auth/callback", params={"state": state, "code": "one"})
    assert back.headers["location"] == "/%2f%2fevil.example/%5cevil.example"


def test_a_target_that_somebody_wrote_into_the_cookie_is_none_either(world: World) -> None:
    state = world.begin()
    kept = world.browser.cookies["__Host-scale-sign-in"].rsplit(".", 1)[0]
    world.browser.cookies.clear()
    forged = {"Cookie": f"__Host-scale-sign-in={kept}.Ly9ldmlsLmV4YW1wbGU"}  # //evil.example
    world.provider.attempts[-1] = type(world.provider.attempts[-1])(*kept.split("."), "/")
    back = world.browser.get("/auth/callback", params={"state": state, "code": "one"}, headers=forged)
    assert (back.status_code, back.headers["location"]) == (303, "/")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "code=one",
        "state={state}",
        "state={state}&code=unknown",
        "state={state}&state={state}&code=one",
        "state={state}&code=one&code=one",
        "state=" + "x" * 43 + "&code=one",
        "state={state}&code=" + "x" * 5_000,
        "state={state}%00&code=one",
        "error=access_denied&state={state}",
        "error=%0d%0aSet-Cookie:%20scale=x&state={state}&code=one",
    ],
)
def test_a_way_back_that_proves_nothing_is_refused_with_one_sentence(
    world: World, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = world.browser.get("/auth/callback?" + query.format(state=world.begin()))
    assert answer.status_code == 400
    assert "Signing in did not succeed. Start again;" in answer.text
    assert "__Host-scale=" not in "".join(answer.headers.get_list("set-cookie"))
    (noted,) = world.audit.entries
    assert (noted.action, noted.allowed, bool(noted.reason)) == ("signing in", False, True)
    assert "\n" not in noted.reason
    assert caplog.records == []  # which strangers could fill


def test_a_way_back_without_the_cookie_is_refused(world: World) -> None:
    state = world.begin()
    world.browser.cookies.clear()
    assert world.browser.get("/auth/callback", params={"state": state, "code": "one"}).status_code == 400


@pytest.mark.parametrize("cookie", ["", "x", "a.b.c.d", "x" * 100_000])
def test_a_cookie_that_is_no_attempt_is_refused(world: World, cookie: str) -> None:
    state = world.begin()
    world.browser.cookies.clear()
    headers = {"Cookie": f"__Host-scale-sign-in={cookie}"}
    answer = world.browser.get("/auth/callback", params={"state": state, "code": "one"}, headers=headers)
    assert answer.status_code == 400


def test_who_has_no_role_is_told_so_and_gets_no_session(world: World) -> None:
    answer = world.browser.get("/auth/callback", params={"state": world.begin(), "code": "eve"})
    assert answer.status_code == 403
    assert "&lt;b&gt;eve&lt;/b&gt; is signed in, but none" in answer.text
    assert "__Host-scale" not in world.browser.cookies


def test_an_old_way_back_leads_home_for_who_is_signed_in(world: World) -> None:
    world.sign_in()
    again = world.browser.get("/auth/callback", params={"state": "x" * 43, "code": "one"})
    assert (again.status_code, again.headers["location"]) == (303, "/")
    assert "set-cookie" not in again.headers


def test_a_provider_that_is_away_is_503_and_a_sentence(world: World) -> None:
    world.provider.broken = SignInUnavailable("Nobody can sign in now: the identity provider is away.")
    answer = world.browser.get("/auth/login")
    assert answer.status_code == 503
    assert "Nobody can sign in now" in answer.text
    world.provider.broken = None
    state = world.begin()
    world.provider.broken = SignInUnavailable("Nobody can sign in now: the identity provider is away.")
    assert world.browser.get("/auth/callback", params={"state": state, "code": "one"}).status_code == 503


def test_a_database_that_is_away_is_503_and_a_sentence(world: World) -> None:
    state = world.begin()
    world.store.broken = StoreUnavailable("The database is away.")
    answer = world.browser.get("/auth/callback", params={"state": state, "code": "one"})
    assert (answer.status_code, "The database is away." in answer.text) == (503, True)


async def test_signing_out_ends_the_session_and_takes_the_cookie(world: World) -> None:
    secret = world.sign_in()
    answer = world.browser.post("/auth/logout", headers={"Origin": HTTPS})
    assert answer.status_code == 200
    assert "You are signed out" in answer.text
    assert "__Host-scale" not in world.browser.cookies
    assert await world.sessions.principal(secret) is None


async def test_another_site_signs_nobody_out(world: World) -> None:
    secret = world.sign_in()
    assert world.browser.post("/auth/logout", headers={"Origin": "https://evil.example"}).status_code == 403
    assert world.browser.get("/auth/logout").status_code == 405
    assert await world.sessions.principal(secret)


def test_who_cannot_be_signed_out_is_told(world: World) -> None:
    world.sign_in()
    world.store.broken = StoreUnavailable("The database is away.")
    answer = world.browser.post("/auth/logout", headers={"Origin": HTTPS})
    assert (answer.status_code, "could not be ended" in answer.text) == (503, True)


@pytest.mark.parametrize(
    ("proxies", "noted"), [(("10.0.0.0/24",), "192.0.2.7"), (("10.0.0.1",), "10.0.0.9"), ((), "10.0.0.9")]
)
def test_a_sign_in_through_a_proxy_is_noted_with_the_clients_address_if_the_proxy_is_believed(
    proxies: tuple[str, ...], noted: str
) -> None:
    world = World(proxies=proxies, address="10.0.0.9")
    world.browser.headers["X-Forwarded-For"] = "203.0.113.5, 192.0.2.7"
    world.sign_in()
    world.browser.post("/auth/logout", headers={"Origin": HTTPS})
    assert [(entry.action, entry.address) for entry in world.audit.entries] == [
        ("signing in", noted),
        ("signing out", noted),
    ]


def test_who_signed_in_and_out_and_what_was_refused_is_audited_with_the_address(world: World) -> None:
    world.sign_in()
    world.browser.post("/auth/logout", headers={"Origin": HTTPS})
    world.browser.get("/auth/callback", params={"state": world.begin(), "code": "eve"})
    world.browser.get("/auth/callback", params={"state": world.begin(), "code": "unknown"})
    told = [(entry.action, entry.who, entry.role, entry.allowed, entry.reason) for entry in world.audit.entries]
    assert told == [
        ("signing in", "ada@example.org", "operator", True, ""),
        ("signing out", "ada@example.org", "operator", True, ""),
        (
            "signing in",
            "<b>eve</b>",
            "",
            False,
            "<b>eve</b> is signed in, but none of the person's groups has a role on this server. Ask an admin of this "
            "server for one.",
        ),
        ("signing in", "", "", False, "unknown is no code"),
    ]
    assert {entry.address for entry in world.audit.entries} == {"testclient"}
