"""Plans as files: what is written reads back, and no text does more than say one plan."""

from dataclasses import fields

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from scale_app.codec import plan_schema, to_wire
from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan

RICH = LoadPlan(
    target_url="http://api.shop.svc:8080/cart",
    users=7,
    requests_per_connection=None,
    pattern=Pattern("replayed", points=((0, 0.5), (3.5, 1.0))),
    headers={"Accept-Language": "de: yes", "X-Date": "2024-01-01"},
    method="POST",
    body="a: 1\r\n\tü",
)


@pytest.mark.parametrize("plan", [LoadPlan(), RICH, LoadPlan(arrivals_per_s=20, arrivals="poisson")])
def test_a_plan_reads_back_as_it_was(plan: LoadPlan) -> None:
    assert plan_from_text(plan_to_text(plan)) == plan


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_a_body_of_any_text_reads_back(body: str) -> None:
    assert plan_from_text(plan_to_text(LoadPlan(body=body))).body == body


@pytest.mark.parametrize("word", ["on", "no", "012", "1e3", "1:30", "null", "~", "true", "2024-01-01", "0x1f", ""])
def test_words_that_yaml_may_take_for_something_else_stay_text(word: str) -> None:
    assert plan_from_text(plan_to_text(LoadPlan(body=word))).body == word


def test_only_what_says_how_much_load_and_what_differs_is_written() -> None:
    assert plan_to_text(LoadPlan(timeout_s=3)).splitlines() == [
        "target_url: demo",
        "users: 100",
        "spawn_rate: 50.0",
        "duration_s: 60.0",
        "requests_per_connection: 5",
        "timeout_s: 3.0",
    ]


def test_json_is_read_too() -> None:
    assert plan_from_text('{"users": 5, "duration_s": 1e2, "requests_per_connection": null}') == LoadPlan(
        users=5, duration_s=100, requests_per_connection=None
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a plan is a list of fields"),
        ("- users", "a plan is a list of fields"),
        ("users: [", "neither YAML nor JSON in line 1"),
        ("users: 3\nusers: 4", "'users' is given twice"),
        ("users: &many 3\nspawn_rate: *many", "in line 2: an alias"),
        ("!!python/object:os.system x", "could not determine a constructor"),
        ("users: " + "[" * 9 + "]" * 9, "nested too deeply"),
        ("{" * 5_000, "nested too deeply"),
        ("headers:\n" + "".join(f"  a{n}: b\n" for n in range(20_000)), "too many parts"),
        ("x" * 3_000_000, "a plan has at most"),
        ("users: '3'", "users = '3' cannot be used"),
        ("users: 3.5", "users = 3.5 cannot be used"),
        ("users: yes", "users = 'yes' cannot be used"),
        ("usrs: 3", "there is no such field"),
        ("users: 0", "users = 0 cannot be used: a whole number of at least 1"),
        ("spawn_rate: .inf", "spawn_rate = '.inf' cannot be used"),
        ("users: " + "9" * 5_000, "neither YAML nor JSON"),
        ("\x00", "neither YAML nor JSON"),
        ("? [1]\n: 2", "unhashable key"),
    ],
)
def test_a_text_that_is_no_plan_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_from_text(text)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(PlanError):
        plan_from_text(b"\xff\xfe\xfd: 3")


def test_the_schema_knows_every_field_and_says_what_it_is() -> None:
    schema = plan_schema()
    assert list(schema["properties"]) == [field.name for field in fields(LoadPlan)]
    for part in (schema, schema["$defs"]["Gate"], schema["$defs"]["Pattern"]):
        assert [name for name, told in part["properties"].items() if not told.get("description")] == []


@pytest.mark.parametrize("plan", [LoadPlan(), RICH])
def test_the_schema_accepts_what_is_written(plan: LoadPlan) -> None:
    schema = jsonschema_rs.validator_for(plan_schema())
    for document in (to_wire(plan), yaml.safe_load(plan_to_text(plan))):
        assert [error.message for error in schema.iter_errors(document)] == []


@pytest.mark.parametrize(
    "document", [{"usrs": 3}, {"users": "3"}, {"pattern": {"kind": "square"}}, {"pattern": {"x": 1}}]
)
def test_the_schema_refuses_what_the_plan_refuses(document: dict[str, object]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(plan_schema()).validate(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"until": null}', "until = null cannot be used"),
        ('{"users": true}', "users = true cannot be used"),
        ('{"target_url": ["ü", null]}', 'target_url = ["ü", null] cannot be used'),
        ('{"until": "never"}', "until = 'never' cannot be used"),
        ("- users: ~", 'file = [{"users": null}] cannot be used'),
    ],
)
def test_what_is_refused_is_named_as_it_was_written(text: str, said: str) -> None:
    with pytest.raises(PlanError) as refused:
        plan_from_text(text)
    assert str(refused.value).startswith(said)
    assert "None" not in str(refused.value)
