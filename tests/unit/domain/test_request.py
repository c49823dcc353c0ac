"""What a plan may ask of a target."""

from __future__ import annotations

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan, PlanEdit


def test_a_plan_takes_method_headers_and_body() -> None:
    plan = LoadPlan(method="POST", headers={"Accept-Language": "de"}, body="{}")
    assert (plan.method, plan.body) == ("POST", "{}")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"method": "get"}, "method"),
        ({"method": "CONNECT"}, "method"),
        ({"headers": {"a b": "c"}}, "headers"),
        ({"headers": {"A": "b\r\nC: d"}}, "headers"),
        ({"headers": {"Content-Length": "5"}}, "headers"),
        ({"headers": {"x-scale-load": "0"}}, "headers"),
        ({"headers": {":authority": "shop.example"}}, "headers"),
        ({"headers": {":path": "/admin"}}, "headers"),
        ({"headers": {"Host": "shop.example", "host": "admin.internal"}}, "headers"),
        ({"headers": {"Host": ""}}, "headers"),
        ({"headers": {"Host": "shop.example, admin.internal"}}, "headers"),
        ({"headers": {"Host": "shop.example admin.internal"}}, "headers"),
        ({"headers": {"Host": "admin@shop.example"}}, "headers"),
        ({"headers": {"Host": "http://shop.example/"}}, "headers"),
        ({"headers": {"Host": "${env:SCALE_SECRET_HOST}"}}, "headers"),
        ({"headers": {f"A{i}": "" for i in range(51)}}, "headers"),
        ({"headers": {"X": "${env:HOME}"}}, "headers"),
        ({"headers": {"X": "${env:SCALE_WORKER_SECRET}"}}, "headers"),
        ({"body": "${env:PATH}"}, "body"),
        ({"body": "x" * (2**20 + 1)}, "body"),
        ({"ca_pem": "no certificate"}, "ca_pem"),
        ({"ca_pem": "-----BEGIN CERTIFICATE-----" + "x" * 300_000}, "ca_pem"),
        ({"ca_pem": "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----"}, "ca_pem"),
        ({"dns": "never"}, "dns"),
        ({"arrivals_per_s": 0.0}, "arrivals_per_s"),
        ({"arrivals_per_s": 1e6}, "arrivals_per_s"),
        ({"arrivals": "bursts"}, "arrivals"),
    ],
)
def test_what_cannot_be_sent_is_refused(fields: dict[str, object], field: str) -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(**fields)  # type: ignore[arg-type]
    assert refused.value.field == field


@pytest.mark.parametrize("host", ["shop.example", "shop.example:8080", "10.0.0.7", "[fd00::7]:80", "a_b.svc"])
def test_a_plan_may_ask_for_one_host(host: str) -> None:
    assert LoadPlan(headers={"host": host, "X-Forwarded-Host": "any"}).headers["host"] == host


def test_a_header_s_value_is_not_repeated_in_the_refusal() -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(headers={"Authorization": "secret\n"})
    assert "secret" not in str(refused.value)


def test_arrivals_may_be_edited_in_a_run_that_has_them() -> None:
    assert LoadPlan(arrivals_per_s=5).edited(PlanEdit(arrivals_per_s=9)).arrivals_per_s == 9
    assert LoadPlan(arrivals_per_s=5).edited(PlanEdit(users=9)).arrivals_per_s == 5
    with pytest.raises(PlanError, match="began without arrivals"):
        LoadPlan().edited(PlanEdit(arrivals_per_s=9))
