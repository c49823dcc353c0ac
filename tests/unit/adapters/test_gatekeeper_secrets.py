"""The gate gives a plan the secrets that are bound to its target, and says of all others the same."""

from __future__ import annotations

import pytest

from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.domain.cluster import ServiceFound, ServiceRef
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.secret import Secret
from tests.unit.adapters.test_gatekeeper import Names, demo_url

SHOP = Secret("SCALE_SECRET_SHOP", "shop-secret", ("api.shop.svc", "kubernetes:shop/cart"))
ELSEWHERE = Secret("SCALE_SECRET_ELSEWHERE", "other-secret", ("other.example",))
EVERYWHERE = Secret("SCALE_SECRET_EVERYWHERE", "wide-secret", ("0.0.0.0/0", "::/0", "me", "localhost"))
ODD = Secret("SCALE_SECRET_ODD", "", ("api.shop.svc",))
OLD = Secret("SCALE_SECRET_OLD", "old-secret")
ALL = (SHOP, ELSEWHERE, EVERYWHERE, ODD, OLD)
NAMES = {
    "api.shop.svc": ["10.0.0.7"], "me": ["10.9.9.9"], "both": ["10.0.0.7", "10.9.9.9"], "localhost": ["127.0.0.1"],
    "scale.example": ["10.0.0.7"], "10.0.0.7": ["10.0.0.7"],
}  # fmt: skip


def gate(found: ServiceFound | None = None) -> TargetGatekeeper:
    async def find(_: ServiceRef) -> ServiceFound:
        assert found is not None
        return found

    return TargetGatekeeper(
        ("0.0.0.0/0", "10.9.9.9", "127.0.0.1", "admin.shop.svc", *NAMES),
        demo_url,
        resolve=Names(**NAMES),
        is_own=lambda address: address == "10.9.9.9",
        find_service=find if found else None,
        secrets=ALL,
        own_names=("scale.example",),
    )


def asks(name: str, url: str = "http://api.shop.svc/", **fields: object) -> LoadPlan:
    return LoadPlan(url, headers={"Authorization": f"Bearer ${{env:SCALE_SECRET_{name}}}"}, **fields)  # type: ignore[arg-type]


async def refusal(plan: LoadPlan, **kind: ServiceFound) -> str:
    with pytest.raises(PlanError) as refused:
        await gate(**kind).admit(plan)
    return str(refused.value)


async def test_a_plan_gets_the_bound_secrets_that_it_names() -> None:
    admitted = await gate().admit(asks("SHOP"))
    assert admitted.secrets == {"SCALE_SECRET_SHOP": "shop-secret"}
    assert "shop-secret" not in repr(admitted)
    assert (await gate().admit(asks("EVERYWHERE"))).secrets == {"SCALE_SECRET_EVERYWHERE": "wide-secret"}
    assert (await gate().admit(LoadPlan("http://api.shop.svc/"))).secrets == {}


async def test_unknown_unbound_bound_elsewhere_and_empty_get_one_answer() -> None:
    names = ("NO_SUCH", "OLD", "ELSEWHERE", "ODD", "SHOP_FOR")
    said = {(await refusal(asks(name))).replace(name, "X") for name in names}
    assert len(said) == 1
    assert "no secret of this name is bound to this target" in said.pop()


@pytest.mark.parametrize("host", ["me", "both", "localhost", "scale.example"])
async def test_no_secret_goes_to_this_machine_whatever_is_bound(host: str) -> None:
    known = await refusal(asks("EVERYWHERE", f"http://{host}/"))
    assert known.replace("EVERYWHERE", "NO_SUCH") == await refusal(asks("NO_SUCH", f"http://{host}/"))


async def test_no_secret_goes_to_the_demo_and_that_tells_nothing() -> None:
    said = {(await refusal(asks(name, "demo"))).replace(name, "X") for name in ("EVERYWHERE", "NO_SUCH")}
    assert len(said) == 1


async def test_simulated_counts_send_nothing_and_so_need_nothing() -> None:
    for name in ("EVERYWHERE", "NO_SUCH"):
        assert (await gate().admit(asks(name, "simulated"))).secrets == {}


async def test_another_host_in_the_request_is_another_target() -> None:
    plan = LoadPlan("http://api.shop.svc/", headers={"X-Auth": "${env:SCALE_SECRET_SHOP}", "host": "admin.shop.svc"})
    assert "is bound to this target" in await refusal(plan)


async def test_a_service_of_the_cluster_is_bound_at_its_own_addresses_and_ports() -> None:
    cart = ServiceFound(ServiceRef("shop", "cart"), ("10.0.0.7",), (8080,))
    plan = asks("SHOP", "http://10.0.0.7:8080/", service="shop/cart")
    assert (await gate(found=cart).admit(plan)).secrets == {"SCALE_SECRET_SHOP": "shop-secret"}
    for other in (
        ServiceFound(ServiceRef("shop", "cart"), ("10.0.0.8",), (8080,)),
        ServiceFound(ServiceRef("shop", "cart"), ("10.0.0.7",), (9090,)),
        ServiceFound(ServiceRef("evil", "cart"), ("10.0.0.7",), (8080,)),
    ):
        assert "is bound to this target" in await refusal(plan, found=other)


async def test_a_locustfile_may_look_for_all_that_is_bound_to_its_target_and_for_nothing_else() -> None:
    plan = LoadPlan("http://api.shop.svc/", locustfile="shop.py", requests_per_connection=None)
    assert (await gate().admit(plan)).secrets == {
        "SCALE_SECRET_SHOP": "shop-secret",
        "SCALE_SECRET_EVERYWHERE": "wide-secret",
    }
