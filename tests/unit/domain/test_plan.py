"""A plan that cannot be run cannot be built."""

import math

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit


def test_the_defaults_are_a_plan_for_the_built_in_target() -> None:
    assert LoadPlan().target_url == "demo"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("target_url", ""),
        ("target_url", "   "),
        ("target_url", 7),
        ("target_url", "ftp://host/"),
        ("target_url", "file:///etc/passwd"),
        ("target_url", "http://"),
        ("target_url", "http://host:0/"),
        ("target_url", "http://host:99999/"),
        ("target_url", "http://[::1/"),
        ("target_url", "http://a b/"),
        ("target_url", "http://host/\r\nX: y"),
        ("target_url", "http://user:secret@host/"),
        ("target_url", "http://host/" + "x" * 2_000),
        ("target_url", "simulated?pods=0"),
        ("target_url", "simulated?pods=many"),
        ("users", 0),
        ("users", -3),
        ("users", 2.5),
        ("users", True),
        ("users", "10"),
        ("users", math.nan),
        ("spawn_rate", 0),
        ("spawn_rate", -1.0),
        ("spawn_rate", math.nan),
        ("spawn_rate", math.inf),
        ("spawn_rate", None),
        ("duration_s", 0.5),
        ("duration_s", math.inf),
        ("requests_per_connection", 0),
        ("requests_per_connection", 1.5),
        ("think_time_s", -0.1),
        ("timeout_s", 0),
        ("pod_header", ""),
        ("pod_header", "X Pod"),
        ("pod_header", "X-Pod\r\n"),
        ("alert_rule", "mood"),
        ("processes", 0),
        ("processes", 101),
        ("remote_workers", -1),
        ("remote_workers", 1),
        ("arrivals_per_s", 0),
    ],
)
def test_a_wrong_field_is_named_with_its_value(field: str, value: object) -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(**{field: value})  # type: ignore[arg-type]
    assert refused.value.field == field
    assert str(refused.value).startswith(f"{field} = ")
    assert str(refused.value).endswith(".")


def test_a_password_in_the_url_is_not_repeated() -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(target_url="http://user:secret@host/")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["demo", "simulated?pods=200", "http://[::1]:8080/x?y=z", "https://api.shop.svc/"])
def test_usable_targets_are_accepted(url: str) -> None:
    assert LoadPlan(target_url=url).target_url == url


CAPPED = ["users", "spawn_rate", "duration_s", "arrivals_per_s", "processes", "remote_workers"]


@pytest.mark.parametrize("field", CAPPED)
def test_more_than_the_installation_allows_is_refused(field: str) -> None:
    asked = {**dict.fromkeys(CAPPED, 11), "users": 22}
    plan = LoadPlan(target_url="http://api/", **asked)  # type: ignore[arg-type]
    caps = {**dict.fromkeys(CAPPED, 30), field: 10}
    with pytest.raises(PlanError, match=f"{field} = {asked[field]} .* at most 10"):
        plan.check_limits(Limits(**caps))  # type: ignore[arg-type]


def test_only_a_plan_with_arrivals_has_arrivals_to_cap() -> None:
    limits = Limits(arrivals_per_s=1)
    with pytest.raises(PlanError, match="arrivals_per_s = 2 "):
        LoadPlan(arrivals_per_s=2).check_limits(limits)
    closed = LoadPlan()
    closed.check_limits(limits)
    assert closed.arrivals_per_s is None


def test_an_edit_changes_only_what_it_names() -> None:
    edited = LoadPlan(users=5, spawn_rate=2).edited(PlanEdit(users=9))
    assert (edited.users, edited.spawn_rate) == (9, 2)


def test_an_edit_to_a_plan_that_cannot_run_is_refused() -> None:
    with pytest.raises(PlanError, match="users = 0"):
        LoadPlan().edited(PlanEdit(users=0))
