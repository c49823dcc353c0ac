"""Where a function crosses zero, against functions whose crossing is known, and how often it looks at them."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.numerics import crossing

KNOWN: list[tuple[Callable[[float], float], float, float, float]] = [
    (lambda x: x * x - 2, 0.0, 2.0, math.sqrt(2)),
    (lambda x: math.cos(x) - x, 0.0, 1.0, 0.7390851332151607),
    (lambda x: 1e-9 - math.exp(-x), 0.0, 1e4, 9 * math.log(10)),
    (lambda x: math.atan(x - 3), -1e6, 1e6, 3.0),
    (lambda x: -1.0 if x < 0.3 else 1.0, 0.0, 1.0, 0.3),
    (lambda x: x, 0.0, 5.0, 0.0),
    (lambda x: x - 5, 0.0, 5.0, 5.0),
]


@pytest.mark.parametrize(("f", "low", "high", "where"), KNOWN)
def test_a_crossing_is_found_however_the_function_bends(
    f: Callable[[float], float], low: float, high: float, where: float
) -> None:
    assert crossing(f, low, high, xtol=1e-10, rtol=1e-10) == pytest.approx(where, abs=1e-9)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e6), st.floats(0.01, 1e6))
def test_it_takes_no_more_looks_than_three_times_those_of_bisection(where: float, below: float, above: float) -> None:
    looks = 0

    def f(x: float) -> float:
        nonlocal looks
        looks += 1
        return math.copysign(abs(x - where) ** (1 / 3), x - where)

    assert crossing(f, where - below, where + above, 1e-6) == pytest.approx(where, rel=1e-6, abs=1e-5)
    assert looks <= 3 * 45


def test_a_smooth_function_takes_a_dozen_looks() -> None:
    looks = []
    crossing(lambda x: looks.append(x) or math.exp(-x) - 1e-3, 0.0, 100.0)  # type: ignore[func-returns-value]
    assert len(looks) < 18


def test_without_a_crossing_it_says_so() -> None:
    with pytest.raises(ValueError, match="no crossing between 1 and 2"):
        crossing(lambda x: x, 1.0, 2.0)
