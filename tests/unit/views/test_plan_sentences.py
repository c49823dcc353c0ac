"""What people are told of a plan that cannot be run, by API, command line and form: bad values of all fields."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from functools import partial
from typing import Any

import pytest

from scale_app.api.legacy_shapes import plan_of as plan_of_request
from scale_app.cli.run import FLAGS
from scale_app.cli.run import plan_of as plan_of_flags
from scale_app.codec import plan_from_wire
from scale_app.domain.errors import PlanError
from scale_app.domain.gate import Gate
from scale_app.domain.pattern import SHAPES, Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.ui.plan.texts import plan_of as plan_of_form
from scale_app.ui.plan.texts import texts_of
from scale_app.views.plan_fields import on_the_form

VALUES = (None, True, "", "x", -1, 0, 1.5, 1e6, 1e12, [], ["a"], {}, {"a": None})
TYPED = ("", "x", "null", "-1", "0", "1.5", "1e+06", "1e6", "nan", "true", "a=1,a=2", "a=x", "a: 1\na: 2", "[1")
NOT_FOR_PEOPLE = re.compile(
    r"[Ii]nput should|integer|string|instance|\d\.0\b|\de[+-]?\d|None|for ,|Error|\(not given\)"
)
QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")


def told_by(build: Callable[[], object]) -> str:
    """Why the plan cannot be built, "" if it can."""
    try:
        build()
    except PlanError as error:
        return str(error)
    return ""


def by_api() -> Iterator[str]:
    for value in VALUES:
        for field in fields(LoadPlan):
            yield told_by(partial(plan_from_wire, LoadPlan, {field.name: value}))
        for part, kind in (("pattern", Pattern), ("gate", Gate)):
            for field in fields(kind):
                yield told_by(partial(plan_from_wire, LoadPlan, {part: {field.name: value}}))
    yield told_by(partial(plan_of_request, {"target_url": "demo", "users": 1}))


def by_flags() -> Iterator[str]:
    for text in TYPED:
        for flag in FLAGS:
            yield told_by(partial(plan_of_flags, None, (), (), **{flag.replace("-", "_"): text}))
        yield told_by(partial(plan_of_flags, None, (text, f"gate.score={text}", f"={text}"), ()))


def by_form() -> Iterator[str]:
    texts = texts_of(LoadPlan())
    for name in texts:
        for text in TYPED:
            for kind in SHAPES if name.startswith("pattern_") else ("constant",):
                yield told_by(partial(_formed, {**texts, "pattern": kind, name: text}))


def _formed(texts: dict[str, str]) -> LoadPlan:
    try:
        return plan_of_form(texts)
    except PlanError as error:
        raise on_the_form(error) from None


@pytest.mark.parametrize("way", [by_api, by_flags, by_form])
def test_every_sentence_is_for_people(way: Callable[[], Iterator[str]]) -> None:
    told = {sentence for sentence in way() if sentence}
    assert len(told) > 50
    assert [sentence for sentence in sorted(told) if NOT_FOR_PEOPLE.search(QUOTED.sub("", sentence))] == []
    assert [sentence for sentence in told if not sentence.endswith(".") or sentence.endswith("..")] == []


def test_the_form_says_its_own_labels_and_no_names_of_fields() -> None:
    assert [sentence for sentence in by_form() if re.match(r"\w+[_.]\w+ = ", sentence)] == []


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ({"users": "nobody"}, "Users = 'nobody' cannot be used: a whole number of at least 1."),
        ({"think_time_s": "-20"}, "Think time = -20 ms cannot be used: a number of at least 0."),
        ({"max_pod_share": "120"}, "Alert above pod share = 120 % cannot be used: a part of all requests, from 0 to 1"),
        ({"duration_s": "0"}, "Duration = 0 s cannot be used: a number of at least 1."),
        ({"users": "1e3"}, ""),
    ],
)
def test_the_form_says_what_was_typed(texts: dict[str, str], said: str) -> None:
    assert told_by(partial(_formed, {**texts_of(LoadPlan()), **texts})).startswith(said)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"users": "many"}, "--users = 'many' cannot be used: a whole number is needed."),
        ({"duration": "0"}, "--duration = 0 cannot be used: a number of at least 1."),
        ({"until": "never"}, "--until = 'never' cannot be used: either duration or decided."),
        ({"users": "1e+03", "weights": "null"}, ""),
    ],
)
def test_the_command_line_says_the_flag(flags: dict[str, str], said: str) -> None:
    assert told_by(partial(plan_of_flags, None, (), (), **flags)) == said


@pytest.mark.parametrize("document", [{"users": 1000.0}, {"gate": {"pods": 3.0}}])
def test_a_whole_number_is_one_however_it_is_written(document: dict[str, Any]) -> None:
    assert plan_from_wire(LoadPlan, document) != LoadPlan()


def test_a_field_that_is_missing_has_no_made_up_value() -> None:
    sentence = told_by(partial(plan_of_request, {"users": 1}))
    assert sentence == "target_url is not given: it is needed."
