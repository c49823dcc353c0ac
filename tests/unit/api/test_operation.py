"""What a body may hold, so that no client's request holds up the others."""

from __future__ import annotations

import json

import pytest

from scale_app.api.operation import MOST_PARTS, document_of
from scale_app.api.problems import BodyError
from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import MOST_POINTS, Pattern
from tests.unit.api.conftest import RUNS, Site


def body_of(points: int) -> bytes:
    return json.dumps({"pattern": {"kind": "replayed", "points": [[at / 2, 0.5] for at in range(points)]}}).encode()


def test_a_plan_of_the_most_points_is_read() -> None:
    assert document_of(body_of(MOST_POINTS))


@pytest.mark.parametrize("body", [body_of(50_000), json.dumps({"a": [0] * MOST_PARTS}).encode()])
def test_a_body_of_too_many_parts_is_refused_before_any_of_them_is_looked_at(body: bytes) -> None:
    with pytest.raises(BodyError, match="more than 40,000 parts") as refused:
        document_of(body)
    assert refused.value.status == 413


@pytest.mark.parametrize("points", [10_001, 150_000])
def test_a_run_of_too_many_points_is_refused(site: Site, points: int) -> None:
    answer = site.client.post(RUNS, content=body_of(points), headers={"Content-Type": "application/json"})
    assert answer.status_code in (413, 422)


@pytest.mark.parametrize("kind", ["constant", "replayed"])
def test_too_many_points_are_refused_by_their_number_whatever_the_pattern(kind: str) -> None:
    with pytest.raises(PlanError, match="10,001 points"):
        Pattern(kind=kind, points=((0.0, 0.5),) * 10_001)  # type: ignore[arg-type]


def test_a_name_that_is_given_twice_is_refused_at_any_depth() -> None:
    assert document_of(b'{"weights": {"a": 1, "b": 1}}') == {"weights": {"a": 1, "b": 1}}
    with pytest.raises(PlanError, match="a = 2 cannot be used: it is given twice, and each name has one value"):
        document_of(b'{"weights": {"a": 1, "a": 2}}')
