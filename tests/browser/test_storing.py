"""What people see while the database does not take what happens, and of rows that cannot be read."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import active_runs, start_run
from tests.browser.test_live_page import see_score, start
from tests.browser.test_reading import violations
from tests.browser.test_runs import row_of
from tests.serving import Served, build_page, served

TOLD_LIMIT_MS = 30_000
"""A write waits for a lock for four seconds, and then comes the next try."""


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    build_page()
    own = {name: value for name, value in os.environ.items() if not name.startswith("SCALE_")}
    with served(scratch=tmp_path_factory.mktemp("own"), environment=own) as server:
        yield server


@pytest.fixture
def database(own_server: Served) -> Iterator[sqlite3.Connection]:
    """The server's own, of which another process makes use."""
    path = own_server.database_url.partition(":///")[2]
    with closing(sqlite3.connect(Path(path), isolation_level=None, timeout=20)) as connection:
        yield connection


def test_while_the_database_is_locked_a_run_is_seen_to_its_end_and_the_page_says_that_it_waits(
    new_page: Callable[..., Page], own_server: Served, database: sqlite3.Connection
) -> None:
    database.execute("BEGIN IMMEDIATE")
    page = new_page(server_url=own_server.url)
    start(page)
    see_score(page)
    told = page.get_by_test_id("not-stored")
    expect(told).to_contain_text("Not stored yet; runs continue.", timeout=TOLD_LIMIT_MS)
    assert violations(page) == []
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped")
    assert active_runs(own_server) == []

    page.get_by_test_id("nav-runs").click()
    row = page.get_by_test_id("run").first
    expect(row.get_by_test_id("row-problem")).to_contain_text("Not stored yet")
    expect(row).to_contain_text("Stopped")
    database.execute("ROLLBACK")
    expect(told).to_have_count(0, timeout=TOLD_LIMIT_MS)
    page.reload()
    expect(row.get_by_test_id("row-problem")).to_have_count(0)
    expect(row).to_contain_text("Stopped")


def test_a_run_that_cannot_be_read_is_shown_as_such_and_deleted(
    new_page: Callable[..., Page], own_server: Served, database: sqlite3.Connection
) -> None:
    ids = [start_run(own_server, target_url="simulated", users=4, spawn_rate=4, duration=1) for _ in range(2)]
    page = new_page("/runs", server_url=own_server.url)
    for run_id in ids:
        expect(row_of(page, run_id)).to_contain_text("Finished")
    database.execute("UPDATE runs SET plan_json = 'x' WHERE id = ?", [ids[0]])
    page.reload()
    bad = row_of(page, ids[0])
    expect(bad.get_by_test_id("row-problem")).to_contain_text("The plan of run")
    expect(row_of(page, ids[1]).get_by_test_id("row-problem")).to_have_count(0)
    bad.get_by_test_id("open").click()
    expect(page.get_by_test_id("run-message")).to_contain_text("cannot be read")
    expect(page.get_by_test_id("run-state")).to_have_text("Finished")
    page.get_by_test_id("rerun").click()
    expect(page.get_by_text(re.compile("The run was not repeated"))).to_be_visible()
    page.get_by_test_id("delete").click()
    page.get_by_test_id("confirm-delete").click()
    expect(row_of(page, ids[1])).to_be_visible()
    expect(bad).to_have_count(0)
