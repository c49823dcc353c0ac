"""A plan as the form's texts, and back; a slider's stops."""

from __future__ import annotations

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.ui.plan.texts import DEFAULT, duration_stops, nearest, plan_of, stops, texts_of

PLANS = {
    "default": LoadPlan(),
    "keep-alive": LoadPlan(requests_per_connection=None, think_time_s=0.25),
    "new connection each time": LoadPlan(requests_per_connection=1),
    "open": LoadPlan(arrivals_per_s=300.0, arrivals="poisson"),
    "request": LoadPlan(
        target_url="http://127.0.0.1:8080/cart",
        method="POST",
        headers={"Accept": "a/b", "X-Trace": "1:2"},
        body='{"id": 1}',
        verify_tls=False,
        dns="once",
        counting="json",
        json_field="pod.name",
    ),
    "canary": LoadPlan(weights={"web-stable": 90, "web-canary": 2.5}),
    "alerts": LoadPlan(warm_up_s=5.0, max_pod_share=0.4, max_p95_ms=250.0, max_failure_share=0.01),
    "steps": LoadPlan(pattern=Pattern("steps", low=0.25, period_s=20.0, steps=4)),
    "spike": LoadPlan(pattern=Pattern("spike", low=0.5, begins_s=10.0, period_s=5.0)),
    "replayed": LoadPlan(pattern=Pattern("replayed", low=0.25, points=((0.0, 0.5), (30.0, 1.0)))),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_plan_survives_the_form(name: str) -> None:
    assert plan_of(texts_of(PLANS[name])) == PLANS[name]


def test_what_the_form_does_not_show_stays_as_it_was_loaded() -> None:
    loaded = LoadPlan(processes=2, counter_name="http_requests_total", users=10)
    typed = texts_of(loaded) | {"users": "20"}
    edited = plan_of(typed, base=loaded)
    assert (edited.processes, edited.counter_name, edited.users) == (2, "http_requests_total", 20)


@pytest.mark.parametrize(
    ("field", "text", "wrong"),
    [
        ("users", "many", "users"),
        ("users", "", "users"),
        ("duration_s", "-1", "duration_s"),
        ("requests_per_connection", "0", "requests_per_connection"),
        ("max_pod_share", "150", "max_pod_share"),
        ("max_p95_ms", "fast", "max_p95_ms"),
        ("target_url", "ftp://shop", "target_url"),
        ("weights", "web-stable: most", "weights"),
        ("weights", "web-stable", "weights"),
        ("weights", "web: 1\nweb: 2", "weights"),
    ],
)
def test_a_wrong_text_is_refused_with_the_name_of_its_field(field: str, text: str, wrong: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_of(texts_of(DEFAULT) | {field: text})
    assert refused.value.field == wrong


@pytest.mark.parametrize(
    ("texts", "wrong"),
    [
        ({"pattern": "ramp", "pattern_low": "150"}, "pattern.low"),
        ({"pattern": "ramp", "pattern_period_s": "soon"}, "pattern.period_s"),
        ({"pattern": "steps", "pattern_steps": "0"}, "pattern.steps"),
        ({"pattern": "replayed", "pattern_points": "0 20\nafter lunch 100"}, "pattern.points"),
        ({"model": "open", "arrivals_per_s": "lots"}, "arrivals_per_s"),
    ],
)
def test_a_wrong_shape_is_refused_with_the_name_of_its_field(texts: dict[str, str], wrong: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_of(texts_of(DEFAULT) | texts)
    assert refused.value.field == wrong


def test_a_text_that_is_not_shown_cannot_stand_in_the_way() -> None:
    hidden = {"pattern_period_s": "soon", "pattern_steps": "none", "pattern_points": "?", "arrivals_per_s": "lots"}
    assert plan_of(texts_of(DEFAULT) | hidden) == DEFAULT


@pytest.mark.parametrize("text", ["0 20\n30 100", "0, 20%\n\n30; 100%", "  0   20\n30\t100"])
def test_points_may_be_typed_with_commas_semicolons_and_percent_signs(text: str) -> None:
    plan = plan_of(texts_of(DEFAULT) | {"pattern": "replayed", "pattern_points": text})
    assert plan.pattern.points == ((0, 0.2), (30, 1.0))


def test_blanks_around_a_target_and_empty_header_lines_do_not_count() -> None:
    plan = plan_of(texts_of(DEFAULT) | {"target_url": "  demo ", "headers": "\nAccept:  text/plain \n\n"})
    assert (plan.target_url, dict(plan.headers)) == ("demo", {"Accept": "text/plain"})


def test_stops_are_whole_rising_and_end_at_the_cap():
    found = stops(5_000)
    assert found[0] == 1
    assert found[-1] == 5_000
    assert found == sorted(set(found))
    assert all(stop.is_integer() for stop in found)
    assert len(found) < 30


@pytest.mark.parametrize("most", [1, 2, 7, 10, 137])
def test_any_cap_is_the_last_stop(most):
    assert stops(most)[-1] == most


def test_the_defaults_are_stops():
    assert {50, 100} <= set(stops(5_000))
    assert 60 in duration_stops(3_600)


def test_durations_end_at_the_cap():
    assert duration_stops(100) == [5, 10, 20, 30, 45, 60, 90, 100]


@pytest.mark.parametrize(("value", "index"), [(1, 0), (4, 1), (1_000, 2), (-5, 0)])
def test_a_typed_value_moves_the_thumb_to_the_nearest_stop(value, index):
    assert nearest([1, 5, 10], value) == index
