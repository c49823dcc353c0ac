"""The shapes of a load, as shares of the plan's figures over time."""

from __future__ import annotations

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan


def shares(pattern: Pattern, *times_s: float) -> list[float]:
    return [round(pattern.share(at_s), 3) for at_s in times_s]


@pytest.mark.parametrize(
    ("pattern", "times_s", "expected"),
    [
        (Pattern(), (0, 5, 1e6), [1, 1, 1]),
        (Pattern("ramp", low=0.2, period_s=10), (-1, 0, 5, 10, 99), [0.2, 0.2, 0.6, 1, 1]),
        (Pattern("steps", low=0, period_s=10, steps=3), (0, 9.9, 10, 20, 99), [0, 0, 0.5, 1, 1]),
        (Pattern("steps", low=0, steps=1), (0,), [1]),
        (Pattern("spike", low=0.1, begins_s=5, period_s=2), (4.9, 5, 6.9, 7), [0.1, 1, 1, 0.1]),
        (Pattern("wave", low=0.5, period_s=8), (0, 2, 4, 8), [0.5, 0.75, 1, 0.5]),
        (Pattern("replayed", low=0, points=((1, 0.3), (2, 0.9))), (0, 1, 1.9, 2, 99), [0, 0.3, 0.3, 0.9, 0.9]),
    ],
    ids=lambda value: value.kind if isinstance(value, Pattern) else "",
)
def test_each_kind_has_its_shape(pattern: Pattern, times_s: tuple[float, ...], expected: list[float]) -> None:
    assert shares(pattern, *times_s) == expected


def test_one_user_is_always_left_but_arrivals_may_cease() -> None:
    pattern = Pattern("spike", low=0)
    assert (pattern.users(100, 0), pattern.share(0)) == (1, 0)
    assert (pattern.users(100, 20), pattern.share(20)) == (100, 1)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"kind": "sawtooth"}, "kind"),
        ({"low": 1.1}, "low"),
        ({"low": float("nan")}, "low"),
        ({"period_s": 0}, "period_s"),
        ({"begins_s": -1}, "begins_s"),
        ({"steps": 0}, "steps"),
        ({"steps": True}, "steps"),
        ({"kind": "replayed"}, "points"),
        ({"kind": "replayed", "points": ((2, 0.5), (1, 0.5))}, "points"),
        ({"points": ((0, 2),)}, "points"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(PlanError) as refused:
        Pattern(**fields)  # type: ignore[arg-type]
    assert refused.value.field == f"pattern.{field}"


@pytest.mark.parametrize(
    ("pattern", "field"),
    [
        (Pattern("spike", begins_s=60), "pattern.begins_s"),
        (Pattern("replayed", points=((90, 1.0),)), "pattern.points"),
    ],
)
def test_a_pattern_that_begins_when_the_run_has_ended_is_refused(pattern: Pattern, field: str) -> None:
    with pytest.raises(PlanError, match="begins after the run's end, at 60 s") as refused:
        LoadPlan(pattern=pattern, duration_s=60)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "pattern",
    [
        Pattern("spike", begins_s=59),
        Pattern("replayed", points=((0, 0.5), (90, 1.0))),
        Pattern("wave", begins_s=90),
        Pattern("ramp", period_s=90),
    ],
)
def test_a_pattern_that_begins_within_the_run_is_taken(pattern: Pattern) -> None:
    assert LoadPlan(pattern=pattern, duration_s=60).pattern == pattern
