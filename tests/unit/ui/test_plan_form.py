"""The form of a running load: it changes what was moved and nothing else, and shows what runs."""

import threading
from dataclasses import replace
from typing import Any

import pytest

from scale_app import wiring
from scale_app.codec.plan_text import plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.ui.plan import texts as plan_texts
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.plan.texts import MOST_YAML
from tests.fakes_hub import FakeHub

PLAN = LoadPlan(users=10, spawn_rate=5, arrivals_per_s=20)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    hub = FakeHub()
    monkeypatch.setattr(wiring, "hub", lambda: hub)
    return hub


@pytest.fixture
async def run_id(hub: FakeHub) -> str:
    return await hub.start(PLAN)


@pytest.fixture
async def form() -> PlanForm:
    """It shows the running plan."""
    form = PlanForm(_reflex_internal_init=True)
    await form.take(PLAN)
    return form


async def settle(form: PlanForm, field: str, text: str, run_id: str, running: bool = True) -> list[Any]:
    """Type a figure and let it stand; what the page is told beside the state."""
    setattr(form, field, text)
    return [told async for told in form.event_handlers["settle"].fn(form, field, run_id, running)]


async def test_only_the_figure_that_was_moved_is_changed(form: PlanForm, hub: FakeHub, run_id: str) -> None:
    await hub.edit(run_id, PlanEdit(users=30))  # another face, of which this page has not heard yet
    await settle(form, "spawn_rate", "7", run_id)
    assert hub.edits[1:] == [(run_id, PlanEdit(spawn_rate=7))]
    assert (form.users, form.spawn_rate) == ("30", "7")


async def test_a_figure_that_stands_as_it_runs_changes_nothing(form: PlanForm, hub: FakeHub, run_id: str) -> None:
    await settle(form, "users", "10", run_id)
    await settle(form, "users", "30", run_id, running=False)
    await settle(form, "body", "x", run_id)
    assert hub.edits == []


async def test_a_figure_is_put_back_before_the_page_has_heard_of_the_first_change(
    form: PlanForm, hub: FakeHub, run_id: str
) -> None:
    await settle(form, "users", "30", run_id)
    await settle(form, "users", "10", run_id)
    assert [edit for _, edit in hub.edits] == [PlanEdit(users=30), PlanEdit(users=10)]
    assert form.users == "10"


async def test_a_wrong_figure_stays_as_typed_with_its_sentence(form: PlanForm, hub: FakeHub, run_id: str) -> None:
    told = await settle(form, "users", "many", run_id)
    assert (form.users, form.problem_field, len(told)) == ("many", "users", 1)
    assert "Users = 'many'" in form.problem


def test_what_another_face_edits_is_shown_and_what_is_typed_in_another_field_stays(form: PlanForm) -> None:
    form.spawn_rate = "9"
    form.adopt(replace(PLAN, users=30))
    assert (form.users, form.spawn_rate, form.arrivals_per_s) == ("30", "9", "20")


def test_what_is_typed_stays_while_nothing_is_edited(form: PlanForm) -> None:
    form.users = "77"
    form.adopt(PLAN)
    assert form.users == "77"


def test_a_form_reads_no_plan_that_would_hold_up_the_page(form: PlanForm) -> None:
    form.base = f"body: {'x' * MOST_YAML}"
    with pytest.raises(PlanError, match="16,384 characters"):
        form.plan()


async def test_a_long_plan_that_was_loaded_is_known_without_reading_it_again(form: PlanForm) -> None:
    plan = replace(PLAN, body="x" * MOST_YAML)
    await form.take(plan)
    assert form.plan().body == plan.body


async def test_a_plan_is_written_down_beside_the_loop_which_all_who_look_share(
    form: PlanForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrote: list[threading.Thread] = []

    def write(plan: LoadPlan) -> str:
        wrote.append(threading.current_thread())
        return plan_to_text(plan)

    monkeypatch.setattr(plan_texts, "plan_to_text", write)
    await form.take(replace(PLAN, users=11))
    assert (form.users, len(wrote)) == ("11", 1)
    assert threading.current_thread() not in wrote
