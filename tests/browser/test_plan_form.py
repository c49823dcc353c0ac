"""The plan's form: what it says while somebody types, and the plans that it keeps."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.test_live_page import open_plan, see_score, start
from tests.browser.test_reading import violations
from tests.serving import Served, fetch


def test_a_typed_target_is_answered_by_the_allow_list_before_anything_is_sent(page: Page) -> None:
    answer = page.get_by_test_id("target-answer")
    page.get_by_test_id("target").fill("http://192.0.2.7/")
    expect(answer).to_contain_text("192.0.2.7")
    expect(answer).to_contain_text("SCALE_ALLOWED_TARGETS")
    expect(page.get_by_test_id("target")).to_have_attribute("aria-invalid", "true")
    page.get_by_test_id("target").fill("http://127.0.0.1:9/")
    expect(answer).to_have_text("Allowed: load may be sent to 127.0.0.1.")
    page.get_by_test_id("choose-demo").click()
    expect(page.get_by_test_id("target")).to_have_value("demo")
    expect(answer).to_contain_text("built-in pods")


def test_no_letter_is_lost_when_the_server_answers_slower_than_somebody_types(page: Page) -> None:
    for name, text in (("users-entry", "1234"), ("target", "http://127.0.0.1:9/a/long/path?of=many&letters=1")):
        page.get_by_test_id(name).focus()
        page.keyboard.press("ControlOrMeta+A")
        page.keyboard.type(text)
        page.keyboard.press("Tab")
        expect(page.get_by_test_id(name)).to_have_value(text)
    expect(page.get_by_test_id("target-answer")).to_have_text("Allowed: load may be sent to 127.0.0.1.")
    expect(page.get_by_test_id("users-entry")).to_have_value("1234")


def test_a_pattern_shows_its_shape_and_only_its_own_numbers(page: Page) -> None:
    note, shape = page.get_by_test_id("preview-note"), page.locator(".preview path.line")
    expect(shape).to_have_attribute("d", re.compile(r"^M0 "))
    constant = shape.get_attribute("d")
    page.get_by_test_id("pattern").select_option("ramp")
    page.get_by_test_id("period").fill("60")
    page.get_by_test_id("low").fill("20")
    expect(note).to_have_text(re.compile(r"^From 20\s?% to 100\s?% of the load, 60\s?% on average$"))
    assert shape.get_attribute("d") != constant
    expect(page.get_by_test_id("steps")).to_have_count(0)

    page.get_by_test_id("low").fill("150")
    expect(page.get_by_test_id("problem")).to_contain_text("Lowest load = 150 % cannot be used")
    expect(page.get_by_test_id("low")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_test_id("low")).to_have_value("150")


def test_requests_by_the_clock_are_a_plan_of_their_own_and_are_edited_while_they_come(page: Page) -> None:
    page.get_by_test_id("model").select_option("open")
    page.get_by_test_id("arrivals-entry").fill("80")
    page.get_by_test_id("arrivals-kind").select_option("poisson")
    start(page)
    see_score(page)
    open_plan(page)
    page.get_by_test_id("arrivals-entry").fill("120")
    page.get_by_test_id("arrivals-entry").press("Tab")
    expect(page.get_by_test_id("happened")).to_contain_text("Load changed to 120 requests per second")


def test_a_moved_slider_changes_the_running_load(page: Page) -> None:
    start(page)
    see_score(page)
    open_plan(page)
    thumb = page.get_by_role("slider", name="Users")
    thumb.focus()
    thumb.press("ArrowRight")
    expect(page.get_by_test_id("happened")).to_contain_text("Load changed to 150 users")


def test_a_run_ends_as_soon_as_it_is_decided_when_the_form_asks_for_it(page: Page) -> None:
    latest = page.get_by_text(re.compile("^Stops after .* at the latest$"))
    expect(latest).to_have_count(0)
    page.get_by_test_id("until").select_option("decided")
    expect(latest).to_have_count(1)
    page.get_by_test_id("target").fill("simulated?pods=3")
    page.get_by_test_id("connections").select_option("each")
    page.get_by_test_id("users-entry").fill("400")
    page.get_by_test_id("spawn-rate-entry").fill("400")
    page.get_by_test_id("duration-entry").fill("120")
    start(page)
    expect(page.get_by_test_id("run-message")).to_have_text(re.compile(r"^Decided after \d+ s of at most 120 s\.$"))


def test_a_plan_is_saved_for_everybody_loaded_again_and_deleted(
    page: Page, new_page: Callable[..., Page], server: Served
) -> None:
    page.get_by_test_id("users-entry").fill("37")
    page.get_by_test_id("connections").select_option("keep")
    page.get_by_test_id("saved-plans").click()
    page.get_by_test_id("plan-name").fill("smoke")
    page.get_by_test_id("save-plan").click()
    expect(page.get_by_test_id("saved-plan")).to_have_value("smoke")

    second = new_page(reduced_motion="reduce")
    second.get_by_test_id("saved-plans").click()
    second.get_by_test_id("saved-plan").select_option("smoke")
    expect(second.get_by_test_id("users-entry")).to_have_value("37")
    expect(second.get_by_test_id("connections")).to_have_value("keep")
    second.get_by_test_id("delete-plan").click()
    expect(second.get_by_test_id("delete-plan-dialog")).to_contain_text('Delete the plan "smoke"?')
    assert violations(second) == []
    second.get_by_test_id("delete-plan-dialog-cancel").click()
    assert fetch(f"{server.url}/api/v1/plans/smoke")[0] == 200
    delete_plan(second)
    expect(second.get_by_test_id("saved-plan")).to_have_count(0)
    assert fetch(f"{server.url}/api/v1/plans/smoke")[0] == 404


def delete_plan(page: Page) -> None:
    page.get_by_test_id("delete-plan").click()
    page.get_by_test_id("confirm-delete-plan").click()


def test_a_name_under_which_no_plan_is_saved_cannot_be_deleted(page: Page) -> None:
    page.get_by_test_id("saved-plans").click()
    page.get_by_test_id("plan-name").fill("nowhere")
    page.get_by_test_id("delete-plan").click()
    expect(page.get_by_test_id("delete-plan-dialog")).to_contain_text("No plan is saved under this name.")
    expect(page.get_by_test_id("confirm-delete-plan")).to_be_disabled()


def test_a_plan_is_saved_at_once_after_its_name_was_typed_and_without_one_it_is_said(page: Page) -> None:
    page.get_by_test_id("saved-plans").click()
    for button, said in (
        ("save-plan", "printable characters"),
        ("read-plan-text", "plan"),
    ):
        page.get_by_test_id(button).click()
        expect(page.get_by_test_id("plan-problem")).to_contain_text(said)
    page.get_by_test_id("plan-name").fill("at once")
    page.get_by_test_id("save-plan").click(force=True)
    expect(page.get_by_test_id("saved-plan")).to_contain_text("at once")
    expect(page.get_by_test_id("plan-problem")).to_have_text("")
    delete_plan(page)
    expect(page.get_by_text("No saved plans yet.")).to_be_visible()
    page.get_by_test_id("plan-name").press_sequentially("by keys")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("saved-plan")).to_contain_text("by keys")
    delete_plan(page)
    expect(page.get_by_text("No saved plans yet.")).to_be_visible()


def test_a_plan_is_shown_as_text_and_read_from_it(page: Page) -> None:
    page.get_by_test_id("saved-plans").click()
    page.get_by_test_id("show-plan-text").click()
    text = page.get_by_test_id("plan-text")
    expect(text).to_have_value(re.compile(r"^users: 100$", re.MULTILINE))
    text.fill("users: 12\nprocesses: 2\npattern: {kind: steps, steps: 3, low: 0.5, period_s: 10}\n")
    page.get_by_test_id("read-plan-text").click()
    expect(page.get_by_test_id("users-entry")).to_have_value("12")
    expect(page.get_by_test_id("steps")).to_have_value("3")
    expect(page.get_by_test_id("extras")).to_contain_text("processes")

    text.fill("users: nobody\n")
    page.get_by_test_id("read-plan-text").click()
    expect(page.get_by_test_id("plan-problem")).to_contain_text("users = 'nobody' cannot be used")
    expect(page.get_by_test_id("users-entry")).to_have_value("12")
