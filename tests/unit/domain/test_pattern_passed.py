"""How much of a pattern has passed, against adding its shares up, and when so much has."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scale_app.domain.pattern import SHAPES, Pattern

LOWS = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
PERIODS_S = st.floats(0.1, 1_000)


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    points = draw(st.dictionaries(st.floats(0, 1_000), LOWS, min_size=1, max_size=9))
    return Pattern(
        draw(st.sampled_from(list(SHAPES))),
        low=draw(LOWS),
        period_s=draw(PERIODS_S),
        begins_s=draw(st.one_of(st.just(0.0), st.floats(0, 1_000))),
        steps=draw(st.integers(1, 9)),
        points=tuple(sorted(points.items())),
    )


TIMES_S = st.floats(0, 3_000)


@pytest.mark.parametrize(
    ("pattern", "at_s", "passed_s"),
    [
        (Pattern(), 7, 7),
        (Pattern("ramp", low=0.2, period_s=10), 5, 2),
        (Pattern("ramp", low=0.2, period_s=10), 10, 6),
        (Pattern("ramp", low=0, period_s=10), 12, 7),
        (Pattern("steps", low=0, period_s=10, steps=3), 25, 10),
        (Pattern("steps", low=0, steps=1), 5, 5),
        (Pattern("spike", low=0.1, begins_s=5, period_s=2), 10, 0.5 + 2 + 0.3),
        (Pattern("spike", low=0, begins_s=0, period_s=2), 10, 2),
        (Pattern("wave", low=0.5, period_s=8), 8, 6),
        (Pattern("wave", low=0, period_s=8), 4, 2),
        (Pattern("replayed", low=0, points=((1, 0.5), (3, 0.25))), 5, 1.5),
        (Pattern("replayed", low=1, points=((0, 0.5),)), 5, 2.5),
    ],
)
def test_what_has_passed(pattern: Pattern, at_s: float, passed_s: float) -> None:
    passed = pattern.passed()
    assert passed.until(at_s) == pytest.approx(passed_s)
    assert passed.until(-1) == 0
    assert pattern.share(passed.time_of(passed_s) - 1e-6) > 0


@pytest.mark.parametrize("pattern", [Pattern("spike", low=0), Pattern("replayed", points=((0, 1), (9, 0)))])
def test_what_never_passes(pattern: Pattern) -> None:
    assert pattern.passed().time_of(1e6) == math.inf


@given(patterns(), TIMES_S)
def test_it_is_the_integral_of_the_share(pattern: Pattern, at_s: float) -> None:
    until_s = at_s + pattern.period_s / 2
    times_s = np.linspace(at_s, until_s, 1_001)
    added_up = sum(pattern.share(float(middle_s)) for middle_s in (times_s[1:] + times_s[:-1]) / 2)
    passed = pattern.passed()
    # An edge inside a step is worth a step at most, and there are at most nine.
    step_s = (until_s - at_s) / 1_000
    assert passed.until(until_s) - passed.until(at_s) == pytest.approx(added_up * step_s, abs=10 * step_s)


@given(patterns(), TIMES_S, TIMES_S)
def test_it_never_falls(pattern: Pattern, one_s: float, other_s: float) -> None:
    passed = pattern.passed()
    assert passed.until(min(one_s, other_s)) <= passed.until(max(one_s, other_s)) + 1e-9


@example(Pattern("ramp", low=0, period_s=100), 5e-324)
@given(patterns(), st.floats(0, 1_000))
def test_the_time_of_so_much_is_when_it_has_passed_and_not_sooner(pattern: Pattern, passed_s: float) -> None:
    passed = pattern.passed()
    at_s = passed.time_of(passed_s)
    if at_s == math.inf:
        assert passed.until(1e7) <= passed_s
    else:
        assert at_s >= 0
        assert passed.until(at_s) == pytest.approx(passed_s, abs=1e-6)
        assert passed.until(at_s - 0.01) <= passed_s + 1e-9


@given(patterns(), TIMES_S)
def test_there_and_back_again_is_no_later(pattern: Pattern, at_s: float) -> None:
    passed = pattern.passed()
    back_s = passed.time_of(passed.until(at_s))
    assert back_s <= at_s + 0.1, "where next to nothing passes, rounding takes a while"
    assert passed.until(back_s) == pytest.approx(passed.until(at_s), abs=1e-6)
