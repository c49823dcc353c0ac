"""The page on which calls are tried: all of it from this server, and nothing but its files."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from scale_app.api.trying import FILES, TRY


def test_every_file_of_the_page_comes_from_this_server(client: TestClient) -> None:
    page = client.get(TRY)
    assert page.headers["Content-Type"].startswith("text/html")
    files = re.findall(r'(?:src|href)="(/api/docs/try/[^"]+)"', page.text)
    assert len(files) == len(FILES) + 1
    for file in files:
        answer = client.get(file)
        assert (answer.status_code, len(answer.content) > 100) == (200, True), file
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "http://" not in page.text
    assert "https://" not in page.text


def test_its_policy_lets_nothing_in_from_elsewhere_and_no_script_within_the_page(client: TestClient) -> None:
    policy = client.get(TRY).headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<script(?! src=)", client.get(TRY).text)


@pytest.mark.parametrize("name", ["index.html", "..%2f__init__.py", "../../__init__.py", "swagger-ui.js"])
def test_no_other_file_is_given(client: TestClient, name: str) -> None:
    assert client.get(f"{TRY}/{name}").status_code == 404
