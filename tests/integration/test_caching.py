"""How long browsers keep what a real server sends, by the headers of each kind of file and by asking a second time."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping

import pytest

from tests.serving import Served, build_page, served

ASSET = re.compile(r'/assets/[^"\' ]+-[A-Za-z0-9_-]{8}\.(?:js|css)')
FOR_EVER, ASK_AGAIN, NEVER = "public, max-age=31536000, immutable", "no-cache", "no-store"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    with served(scratch=tmp_path_factory.mktemp("served")) as running:
        yield running


def asked(server: Served, path: str, **headers: str) -> tuple[int, Mapping[str, str]]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{server.url}{path}", headers=named), timeout=20) as answer:
            return answer.status, answer.headers
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers


def assets(server: Served) -> list[str]:
    found = sorted(set(ASSET.findall(server.get("/")[1].decode())))
    assert len(found) > 5
    return found


def test_files_with_a_hash_in_their_name_are_kept_for_ever(server: Served) -> None:
    kept = {path: asked(server, path)[1]["Cache-Control"] for path in assets(server)}
    assert set(kept.values()) == {FOR_EVER}


@pytest.mark.parametrize("path", ["/", "/targets", "/scale.css", "/readout.js", "/favicon.svg", "/fonts/inter.woff2"])
def test_what_may_change_under_its_name_is_asked_for_again_and_sent_only_if_it_did(server: Served, path: str) -> None:
    status, headers = asked(server, path)
    assert (status, headers["Cache-Control"]) == (200, ASK_AGAIN)
    assert asked(server, path, If_None_Match=headers["ETag"])[0] == 304
    assert asked(server, path, If_None_Match='"another"')[0] == 200


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/load-test", "/metrics", "/healthz"])
def test_figures_are_never_kept(server: Served, path: str) -> None:
    assert asked(server, path)[1]["Cache-Control"] == NEVER


def test_an_asset_that_is_not_there_is_not_kept(server: Served) -> None:
    status, headers = asked(server, "/assets/nothing-a1b2c3d4.js")
    assert (status, headers["Cache-Control"]) == (404, ASK_AGAIN)


def test_a_browser_that_takes_it_gets_less_to_carry(server: Served) -> None:
    largest = max(assets(server), key=lambda path: int(asked(server, path)[1]["Content-Length"]))
    plain, small = asked(server, largest)[1], asked(server, largest, Accept_Encoding="gzip")[1]
    assert small["Content-Encoding"] == "gzip"
    assert int(small["Content-Length"]) * 2 < int(plain["Content-Length"])
    assert "Accept-Encoding" in small["Vary"]
