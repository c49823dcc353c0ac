"""Faults that people met on the page, one by one: each was there, and each is held here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_live_page import start
from tests.serving import Served, fetch


def test_a_filter_that_was_left_is_empty_when_the_list_is_whole_again(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page("/runs")
    page.get_by_test_id("filter-target").fill("simulated")
    expect(page.get_by_test_id("run")).to_have_count(1)
    page.get_by_test_id("nav-live").click()
    expect(page.get_by_test_id("start")).to_be_visible()
    page.get_by_test_id("nav-runs").click()
    expect(page.get_by_test_id("run").nth(1)).to_be_visible()
    expect(page.get_by_test_id("filter-target")).to_have_value("")


def test_a_filter_in_the_address_is_shown_and_stays_while_somebody_types(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page("/runs?target=simul")
    expect(page.get_by_test_id("filter-target")).to_have_value("simul")
    page.get_by_test_id("filter-target").press("End")
    page.get_by_test_id("filter-target").press_sequentially("x")
    expect(page.get_by_test_id("empty")).to_be_visible()
    expect(page.get_by_test_id("filter-target")).to_be_focused()
    expect(page.get_by_test_id("filter-target")).to_have_value("simulx")


@pytest.mark.parametrize(("limit", "outcome"), [(0.99, "passed"), (0.0001, "failed")])
def test_an_ended_run_says_whether_it_met_its_thresholds(
    new_page: Callable[..., Page], server: Served, limit: float, outcome: str
) -> None:
    gate = {"pod_share": {"fail": limit}}
    body = {"target_url": "simulated?pods=4", "users": 20, "spawn_rate": 20, "duration_s": 2, "gate": gate}
    page = new_page(f"/runs/{started(server, **body)}")
    expect(page.get_by_test_id("run-state")).to_have_text("Finished")
    row = page.get_by_test_id("check").filter(has_text="Share of one pod")
    expect(row.locator(".badge")).to_have_attribute("data-outcome", outcome)


def test_a_run_without_thresholds_of_its_own_has_no_panel_of_them(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['even']}")
    expect(page.get_by_test_id("score")).to_be_visible()
    expect(page.get_by_test_id("checks")).to_have_count(0)


def test_a_start_that_is_refused_says_so_above_the_earlier_verdict_and_the_next_one_takes_it_away(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page()
    expect(page.get_by_test_id("score")).to_be_visible()
    expect(page.get_by_test_id("not-started")).to_have_count(0)
    page.get_by_test_id("target").fill("http://192.0.2.7/")
    page.get_by_test_id("start").click()
    expect(page.get_by_test_id("not-started")).to_contain_text("Below is an earlier run.")
    expect(page.get_by_test_id("not-started")).to_contain_text("192.0.2.7")
    page.get_by_test_id("choose-demo").click()
    start(page)
    expect(page.get_by_test_id("not-started")).to_have_count(0)


def test_the_live_page_leads_to_the_stopped_runs_own_page(page: Page) -> None:
    page.get_by_test_id("duration-entry").fill("30")
    start(page)
    page.get_by_test_id("stop").click()
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped")
    page.get_by_test_id("to-run").click()
    expect(page).to_have_url(re.compile(r"/runs/[0-9a-f-]{36}"))
    expect(page.get_by_test_id("run-state")).to_have_text("Stopped")


def test_an_address_without_a_page_leads_back(new_page: Callable[..., Page]) -> None:
    page = new_page("/no/such/page")
    expect(page.get_by_test_id("nowhere")).to_be_visible()
    expect(page).to_have_title(re.compile("Not found"))
    page.get_by_test_id("nav-runs").click()
    expect(page).to_have_url(re.compile(r"/runs$"))
    expect(page.get_by_test_id("nowhere")).to_have_count(0)


def test_the_end_of_a_pods_name_is_never_cut_off(new_page: Callable[..., Page], past_runs: dict[str, str]) -> None:
    page = new_page(f"/runs/{past_runs['even']}", width=1_400)
    name = page.get_by_test_id("pod").first.locator("th")
    expect(name).to_have_text(re.compile(r"^demo-[0-9a-z]+-[0-9a-z]{5}$"))
    inside = """th => {
        const end = th.querySelector('.cut > :last-child').getBoundingClientRect(), box = th.getBoundingClientRect();
        return end.width > 0 && end.right <= box.right + 0.5;
    }"""
    assert name.evaluate(inside)
    name.evaluate("th => th.querySelector('.cut > :first-child').textContent = 'a-very-long-name-of-a-deployment-6d9'")
    assert name.evaluate(inside)


def test_an_experiment_says_what_it_sends_before_it_starts(
    new_page: Callable[..., Page], past_runs: dict[str, str]
) -> None:
    page = new_page(f"/runs/{past_runs['pinned']}")
    sends = page.get_by_test_id("experiment-plan")
    expect(sends).to_have_text(re.compile(r"^It sends: 10 users for .*(s|min), a new connection for each request\.$"))


@pytest.mark.parametrize("path", ["/runs", "/runs/{even}", "/compare?ids={even},{pinned}"])
def test_print_cuts_no_column(new_page: Callable[..., Page], past_runs: dict[str, str], path: str) -> None:
    page = new_page(path.format(**past_runs), width=703, height=1_000)  # A4 without its margins
    page.locator("table").first.wait_for()
    page.emulate_media(media="print")
    outside = page.evaluate(
        """() => [...document.querySelectorAll('table th, table td')]
            .filter(cell => cell.offsetParent && cell.getBoundingClientRect().right > window.innerWidth + 1)
            .map(cell => cell.innerText)"""
    )
    assert outside == []


def started(server: Served, **plan: object) -> str:
    """Begin a run by the API, with every field of a plan; its id."""
    status, answer = fetch(f"{server.url}/api/v1/runs", {"Content-Type": "application/json"}, json.dumps(plan).encode())
    assert status == 201, answer
    return str(json.loads(answer)["run_id"])


def test_long_thresholds_hide_no_run_in_a_comparison(new_page: Callable[..., Page], server: Served) -> None:
    limits = {name: {"warn": 0.5, "fail": 0.9} for name in ("pod_share", "failure_share")}
    gate = limits | {"p95_ms": {"warn": 100, "fail": 200}, "p99_ms": {"warn": 300, "fail": 400}, "baseline": "n" * 60}
    plan = {"target_url": "simulated?pods=4", "users": 20, "spawn_rate": 20, "duration_s": 2}
    first, second = started(server, **plan), started(server, **plan, gate=gate)
    for run_id in (first, second):
        expect(new_page(f"/runs/{run_id}").get_by_test_id("run-state")).to_have_text("Finished")
    page = new_page(f"/compare?ids={first},{second}", width=1_400)
    table = page.get_by_test_id("compared-plan")
    expect(table).to_contain_text("pod_share")
    assert table.evaluate("table => table.parentElement.scrollWidth <= table.parentElement.clientWidth + 1")
