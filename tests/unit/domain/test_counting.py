"""What may be asked for about counting, and what is refused."""

import pytest

from scale_app.domain.counting import CountingWish
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.source import COUNTERS, TRAITS, Source


@pytest.mark.parametrize(
    ("field", "plan"),
    [
        ("counting", {"counting": "guess"}),
        ("json_field", {"counting": "json"}),
        ("json_field", {"json_field": "a..b"}),
        ("json_field", {"json_field": "a.b\n"}),
        ("counter_name", {"counter_name": "http requests"}),
        ("counter_name", {"counter_name": 'up{job="a"}'}),
        ("log_pattern", {"log_pattern": "no variable"}),
        ("log_pattern", {"log_pattern": "$request\n$status"}),
        ("log_pattern", {"log_pattern": "$request" * 1_000}),
        ("proxy_pods", {"proxy_pods": "app=nginx"}),
        ("proxy_pods", {"counting": "proxy"}),
        ("enter_pods", {"enter_pods": "yes"}),
        ("enter_pods", {"counting": "connection_map"}),
    ],
)
def test_a_wish_that_cannot_be_followed_names_its_field(field: str, plan: dict[str, str]) -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(target_url="http://127.0.0.1/", **plan)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize("target", ["demo", "simulated"])
def test_the_built_in_targets_are_counted_in_their_own_way_only(target: str) -> None:
    with pytest.raises(PlanError, match="counting"):
        LoadPlan(target_url=target, counting="prometheus")
    assert LoadPlan(target_url=target, counting="header").counting == "header"


def test_without_a_wish_pods_are_not_entered_and_no_proxy_is_read() -> None:
    assert {source for source in COUNTERS if CountingWish().allows(source)} == {
        Source.PROMETHEUS,
        Source.ACCESS_LOG,
        Source.NETWORK,
    }


def test_what_is_opted_into_is_allowed() -> None:
    assert CountingWish(enter_pods="exec").allows(Source.CONNECTION_MAP)
    assert CountingWish(proxy_pods="ingress/app=nginx").allows(Source.PROXY)


def test_every_source_is_in_the_table_and_those_beside_the_load_have_a_rank_of_their_own() -> None:
    assert set(TRAITS) == set(Source)
    assert [source.traits.rank for source in COUNTERS] == list(range(1, len(COUNTERS) + 1))
    assert all(source.traits.rights and source.traits.choice for source in COUNTERS)


def test_a_named_source_is_the_only_one() -> None:
    wish = CountingWish("access_log", enter_pods="exec")
    assert [source for source in COUNTERS if wish.allows(source)] == [Source.ACCESS_LOG]
