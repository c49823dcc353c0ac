"""The reference is what the document says: in docs/, and as a page that needs nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scale_app.api.problems import STATUS, TITLES, anchor_of
from scale_app.api.reference import reference_html, routes_markdown, slug
from scale_app.api.trying import TRY
from tests.unit.api.conftest import Site

KEPT = Path(__file__).parents[4] / "docs" / "reference" / "api.md"


def test_the_reference_in_docs_is_that_of_the_server(site: Site, request: pytest.FixtureRequest) -> None:
    text = routes_markdown(site.client.get("/openapi.json").json())
    if request.config.getoption("--update-golden"):
        KEPT.write_text(text)
    assert text == KEPT.read_text(), "docs/reference/api.md is not what the server says: pytest --update-golden"


def test_the_page_needs_no_network_and_runs_nothing(site: Site) -> None:
    response = site.client.get("/api/docs")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")
    loaded = re.sub(r"<pre>.*?</pre>", "", response.text, flags=re.DOTALL)
    assert not re.search(r"<(script|link|img|iframe)|https?://(?!api\.shop)|@import|url\(", loaded)
    assert "<h3 id=" in response.text


def test_every_link_of_the_page_leads_somewhere(site: Site) -> None:
    page = site.client.get("/api/docs").text
    anchors = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= anchors
    assert {anchor_of(status, kind) for kind, status in STATUS.items()} <= anchors
    assert {anchor_of(status) for status in TITLES} <= anchors


def test_the_page_leads_back_to_the_app_and_on_to_where_calls_are_tried(site: Site) -> None:
    links = re.findall(r'href="(/[^"]*)"', site.client.get("/api/docs").text)
    assert {"/", "/runs", "/targets", TRY} <= set(links)
    assert [link for link in links if link.startswith("/api") and site.client.get(link).status_code != 200] == []


def test_a_problems_type_is_an_anchor_of_the_reference(site: Site) -> None:
    page = site.client.get("/api/docs").text
    problem = site.client.get("/api/v1/runs/no-such").json()["type"]
    assert f'id="{problem.removeprefix("/api/docs#")}"' in page


def test_what_types_say_is_text_and_no_tag() -> None:
    document = {
        "info": {"description": "A <b>thing</b>"},
        "paths": {},
        "components": {"schemas": {"T": {"description": "<script>x</script> | y", "properties": {}}}},
    }
    assert "<script>" not in reference_html(document)
    assert "<b>" not in reference_html(document)


def test_a_slug_is_the_one_that_readers_of_markdown_make() -> None:
    assert slug("GET /api/v1/runs/{run_id}") == "get-apiv1runsrun_id"
    assert slug("Saved plans") == "saved-plans"
