"""Saved plans fill the form, and every event of theirs ends with a sentence."""

from typing import Any

import pytest

from scale_app import wiring
from scale_app.domain.errors import PlanNotFound
from scale_app.domain.record import SavedPlan
from scale_app.ui.live.saved_plans import SavedPlansForm
from tests.fakes_hub import FakeHub


class NoPlans(FakeHub):
    """A hub in which nobody has saved a plan."""

    async def plan(self, name: str) -> SavedPlan:
        raise PlanNotFound(name)


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> SavedPlansForm:
    hub = NoPlans()
    monkeypatch.setattr(wiring, "hub", lambda: hub)
    return SavedPlansForm(_reflex_internal_init=True)


async def event(form: SavedPlansForm, handler: str, **payload: Any) -> Any:
    """As Reflex calls it: what the browser gives comes by name."""
    return await form.event_handlers[handler].fn(form, **payload)


async def test_a_plan_that_there_is_not_is_refused_with_a_sentence(saved: SavedPlansForm) -> None:
    assert await event(saved, "choose", name="nightly") is not None
    assert "nightly" in saved.problem


async def test_choosing_nothing_does_nothing(saved: SavedPlansForm) -> None:
    assert await event(saved, "choose", name="") is None
    assert saved.problem == ""
