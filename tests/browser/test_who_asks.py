"""The page of people who signed in: who they are, what their role does not allow, and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_reading import THEMES, overflow_px, violations
from tests.browser.test_screens import keep
from tests.mock_issuer import MockIssuer, mock_issuer, signing_in
from tests.serving import Served

WAIT_MS = 30_000


@pytest.fixture(scope="module")
def issuer() -> Iterator[MockIssuer]:
    with mock_issuer() as running:
        yield running


@pytest.fixture(scope="module")
def server(issuer: MockIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with signing_in(issuer, tmp_path_factory.mktemp("served")) as running:
        yield running


@pytest.fixture
def stranger(chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def test_a_viewer_sees_who_one_is_and_why_start_is_disabled_and_can_leave(
    server: Served, issuer: MockIssuer, stranger: Page
) -> None:
    issuer.claims = {"email": "ada@example.org", "groups": ["staff"]}
    stranger.goto(server.url)
    expect(stranger.get_by_test_id("who")).to_contain_text("ada@example.org", timeout=WAIT_MS)
    expect(stranger.get_by_test_id("who")).to_contain_text("viewer")
    expect(stranger.get_by_test_id("start")).to_be_disabled(timeout=WAIT_MS)
    expect(stranger.get_by_test_id("why-not-start")).to_contain_text("starting a run needs the role operator")
    stranger.get_by_test_id("sign-out").click()
    expect(stranger.get_by_role("heading", name="Signed out")).to_be_visible(timeout=WAIT_MS)
    assert stranger.request.get(f"{server.url}/api/v1/me").status == 401


def test_an_operator_may_start(server: Served, issuer: MockIssuer, stranger: Page) -> None:
    issuer.claims = {"email": "ada@example.org", "groups": ["sre"]}
    stranger.goto(server.url)
    expect(stranger.get_by_test_id("who")).to_contain_text("operator", timeout=WAIT_MS)
    expect(stranger.get_by_test_id("start")).to_be_enabled()
    expect(stranger.get_by_test_id("why-not-start")).to_have_count(0)
    stranger.goto(f"{server.url}/tokens")
    assert offered_roles(stranger) == ["viewer", "operator"]


def offered_roles(page: Page) -> list[str]:
    expect(page.get_by_test_id("token-role")).to_be_visible(timeout=WAIT_MS)
    return page.get_by_test_id("token-role").locator("option").all_inner_texts()


OF_OPERATORS = (
    *("target", "model", "users-entry", "spawn-rate-entry", "duration-entry", "until", "pattern", "connections"),
    *("demo-policy", "demo-fault", "demo-pods", "demo-kill", "start", "save-plan", "delete-plan"),
)


def test_what_a_viewer_may_not_do_is_disabled_with_the_reason(
    server: Served, issuer: MockIssuer, stranger: Page
) -> None:
    issuer.claims = {"email": "ada@example.org", "groups": ["staff"]}
    stranger.goto(server.url)
    expect(stranger.get_by_test_id("who")).to_contain_text("viewer", timeout=WAIT_MS)
    expect(stranger.get_by_test_id("start")).to_be_disabled(timeout=WAIT_MS)
    stranger.get_by_test_id("saved-plans").click()
    for name in OF_OPERATORS:
        expect(stranger.get_by_test_id(name)).to_be_disabled()
    for name in ("users-slider", "duration-slider"):
        expect(stranger.get_by_test_id(name)).to_have_attribute("data-disabled", "")
    expect(stranger.get_by_test_id("demo-kill")).to_have_attribute("title", re.compile("changing the demo needs"))
    expect(stranger.get_by_test_id("why-not-demo.change")).to_contain_text("changing the demo needs the role operator")
    expect(stranger.get_by_test_id("delete-plan")).to_have_attribute("title", re.compile("deleting a plan needs"))
    expect(stranger.get_by_test_id("show-plan-text")).to_be_enabled()
    expect(stranger.get_by_test_id("nav-tokens")).to_be_visible()
    expect(stranger.get_by_test_id("nav-audit")).to_have_count(0)
    stranger.goto(f"{server.url}/targets")
    expect(stranger.get_by_test_id("use-demo")).to_be_disabled(timeout=WAIT_MS)
    stranger.goto(f"{server.url}/tokens")
    assert offered_roles(stranger) == ["viewer"]


def test_why_a_button_with_an_icon_alone_is_disabled_is_read_out(
    server: Served, issuer: MockIssuer, stranger: Page
) -> None:
    issuer.claims = {"email": "ada@example.org", "groups": ["sre"]}
    stranger.goto(f"{server.url}/runs")
    expect(stranger.get_by_test_id("who")).to_contain_text("operator", timeout=WAIT_MS)
    plan = {"target_url": "simulated", "users": 1, "spawn_rate": 1, "duration_s": 1}
    assert stranger.request.post(f"{server.url}/api/v1/runs", data=plan).status == 201
    again, delete = stranger.get_by_test_id("rerun").first, stranger.get_by_test_id("delete").first
    expect(again).to_be_enabled(timeout=WAIT_MS)
    expect(again).to_have_accessible_description("")
    expect(delete).to_have_accessible_description(re.compile("deleting a run needs the role admin"), timeout=WAIT_MS)
    stranger.get_by_test_id("sign-out").click()
    issuer.claims = {"email": "ada@example.org", "groups": ["staff"]}
    stranger.goto(f"{server.url}/runs")
    expect(again).to_have_accessible_description(re.compile("starting a run needs the role operator"), timeout=WAIT_MS)


def test_an_admin_gets_every_control_and_link(server: Served, issuer: MockIssuer, stranger: Page) -> None:
    issuer.claims = {"email": "root@example.org", "groups": ["platform"]}
    stranger.goto(server.url)
    expect(stranger.get_by_test_id("nav-audit")).to_be_visible(timeout=WAIT_MS)
    stranger.get_by_test_id("saved-plans").click()
    for name in OF_OPERATORS:
        expect(stranger.get_by_test_id(name)).to_be_enabled()
    expect(stranger.get_by_test_id("why-not-demo.change")).to_have_count(0)
    stranger.goto(f"{server.url}/tokens")
    assert offered_roles(stranger) == ["viewer", "operator", "admin"]


PERSON = "ada.lovelace-with-a-long-name@analytics.engines.example.org"


def readable(page: Page, name: str) -> None:
    """See that nothing overflows and axe-core finds nothing; keep a picture of each theme and width."""
    for theme in THEMES:
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        for width in (390, 1_400):
            page.set_viewport_size({"width": width, "height": 800})
            assert overflow_px(page) <= 0, (theme, width)
            keep(page, f"{name}-{theme}-{width}")
            assert violations(page) == [], (theme, width)


def test_the_pages_on_the_way_in_and_out_are_readable_and_lead_on(
    server: Served, issuer: MockIssuer, stranger: Page
) -> None:
    issuer.claims = {"email": PERSON, "groups": ["visitors"]}
    stranger.goto(server.url)
    expect(stranger.get_by_role("heading", name="No role here")).to_be_visible(timeout=WAIT_MS)
    expect(stranger.get_by_text(f"{PERSON} is signed in, but none")).to_be_visible()
    readable(stranger, "way-in-no-role")

    stranger.goto(f"{server.url}/auth/callback?state=x&code=y")
    expect(stranger.get_by_role("heading", name="Not signed in")).to_be_visible()
    readable(stranger, "way-in-refused")

    issuer.claims = {"email": PERSON, "groups": ["platform"]}
    stranger.get_by_role("link", name="Sign in again").click()
    expect(stranger.get_by_test_id("who")).to_contain_text(PERSON, timeout=WAIT_MS)
    stranger.get_by_test_id("sign-out").click()
    expect(stranger.get_by_role("heading", name="Signed out")).to_be_visible(timeout=WAIT_MS)
    readable(stranger, "signed-out")


@pytest.mark.parametrize("group", ["staff", "platform"])
@pytest.mark.parametrize("path", ["/runs", "/tokens", "/audit"])
def test_the_bar_of_somebody_with_a_long_name_is_readable(
    server: Served, issuer: MockIssuer, stranger: Page, group: str, path: str
) -> None:
    issuer.claims = {"email": PERSON, "groups": [group]}
    stranger.goto(f"{server.url}{path}")
    expect(stranger.get_by_test_id("who")).to_contain_text(PERSON, timeout=WAIT_MS)
    expect(stranger.locator("main .skeleton")).to_have_count(0)
    readable(stranger, f"bar-{group}-{path.strip('/')}")
