"""Which secrets a plan may name, and which of them may go to its target."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.secret import HIDDEN, Destined, Secret, is_secret_name, needed, resolved

SHOP = "${env:SCALE_SECRET_SHOP}"
URL = "https://api.shop.svc:8443/cart"


def there(url: str = URL, *addresses: str, own: Sequence[str] = (), names: Sequence[str] = ()) -> Destined:
    return Destined(url, addresses or ("10.0.0.7",), own, names)


@pytest.mark.parametrize(
    "targets",
    [("api.shop.svc",), ("*.shop.svc",), ("10.0.0.7",), ("10.0.0.0/24",), ("other", "API.shop.svc.")],
)
def test_a_secret_may_go_where_it_is_bound_to(targets: tuple[str, ...]) -> None:
    assert there().within(targets)


@pytest.mark.parametrize(
    "targets",
    [
        (),
        ("shop.svc",),
        ("*.api.shop.svc",),
        ("api.shop.svc.evil",),
        ("10.0.0.8",),
        ("10.0.1.0/24",),
        ("kubernetes:a/b",),
    ],
)
def test_and_nowhere_else(targets: tuple[str, ...]) -> None:
    assert not there().within(targets)


def test_all_addresses_of_a_host_must_be_within_a_network() -> None:
    assert there(URL, "10.0.0.7", "10.0.0.8").within(("10.0.0.0/24",))
    assert not there(URL, "10.0.0.7", "10.9.0.8").within(("10.0.0.0/24",))
    assert not Destined(URL, (), ()).within(("api.shop.svc",))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"])
def test_never_to_loopback_whatever_it_is_bound_to(address: str) -> None:
    everywhere = ("api.shop.svc", "127.0.0.0/8", "::1/128", "0.0.0.0/0", "::/0", address)
    assert not there(URL, address).within(everywhere)
    assert not there(URL, "10.0.0.7", address).within(everywhere)


def test_never_to_this_machine_by_its_addresses_or_its_names() -> None:
    bound = ("api.shop.svc", "*.example", "0.0.0.0/0")
    assert not there(URL, "10.0.0.7", own=["10.0.0.7"]).within(bound)
    assert not there(URL, "::ffff:10.0.0.7", own=["10.0.0.7"]).within(bound)
    assert not there("https://scale.example/api", names=["scale.example"]).within(bound)
    assert not there("https://SCALE.example./api", names=["scale.example"]).within(bound)
    assert there("https://shop.example/api", names=["scale.example"]).within(bound)


def test_a_host_header_must_be_bound_as_well() -> None:
    assert there().within(("*.shop.svc",), ["admin.shop.svc:80"])
    assert not there().within(("api.shop.svc",), ["api.shop.svc", "admin.shop.svc"])
    assert not there().within(("api.shop.svc",), [SHOP])
    assert not there(names=["scale.example"]).within(("10.0.0.0/8",), ["scale.example"])
    for odd in ("[x", "[::::]", "a@api.shop.svc", "api.shop.svc/x", "", "api.shop.svc:x", "api.shop.svc,admin"):
        assert not there().within(("*.shop.svc", "10.0.0.0/8"), [odd])


def test_a_plan_gets_the_secrets_that_it_names_and_no_other() -> None:
    bound = {"SCALE_SECRET_SHOP": "one-secret", "SCALE_SECRET_OTHER": "another-one"}
    assert needed({"Authorization": f"Bearer {SHOP}"}, "", bound) == {"SCALE_SECRET_SHOP": "one-secret"}
    assert needed({}, "${env:SCALE_SECRET_OTHER}", bound) == {"SCALE_SECRET_OTHER": "another-one"}
    assert needed({"Accept": "a/b"}, "{}", bound) == {}


def test_unknown_unbound_and_empty_are_one_sentence() -> None:
    said = set()
    for bound in ({}, {"SCALE_SECRET_OTHER": "another-one"}, {"SCALE_SECRET_SHOP": ""}):
        with pytest.raises(PlanError) as refused:
            needed({"Authorization": SHOP}, "", bound)
        said.add(str(refused.value))
    assert said == {
        "headers = '${env:SCALE_SECRET_SHOP}' cannot be used: no secret of this name is bound to this target; the "
        "operator does that with SCALE_SECRET_SHOP_FOR."
    }
    with pytest.raises(PlanError, match=r"^body = "):
        needed({}, SHOP, {})
    with pytest.raises(PlanError, match="no secret of this name is bound"):
        resolved("body", SHOP, {})


def test_references_are_replaced_by_what_they_name() -> None:
    secrets = {"SCALE_SECRET_A": "one", "SCALE_SECRET_B": "${env:SCALE_SECRET_A}"}
    assert resolved("body", "x ${env:SCALE_SECRET_A}-${env:SCALE_SECRET_B} ${env:HOME}", secrets) == (
        "x one-${env:SCALE_SECRET_A} ${env:HOME}"
    )


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "Proxy-Authorization", "authorization", "Cookie", "Set-Cookie2", "X-Auth", "X-AUTH-USER",
        "X-Auth-Token", "X-Authentication", "X-Api-Key", "Api-Key", "X-ApiKey", "X-Access-Key-Id", "X-Vault-Token",
        "Token", "X-Client-Secret", "X-Password", "X-Passwd", "X-Jwt-Assertion", "X-Functions-Key",
        "X-Goog-Credential", "X-OAuth", "X-Signature", "Signature", "X-Hub-Signature-256", "X-Signature-Ed25519",
        "Stripe-Signature", "Ocp-Apim-Subscription-Key", "X_API_KEY", "Key", "License-Key", "X-Shopify-Hmac-Sha256",
        "X-Csrf", "X-Otp", "X-Passphrase", "X-Pwd", "X-Sig", "X-WSSE", "X-Amz-Security-Token", "X-Secretkey", "DPoP",
    ],
)  # fmt: skip
def test_a_header_that_names_a_secret_never_holds_it(name: str) -> None:
    with pytest.raises(PlanError, match=r"give (Bearer )?\$\{env:SCALE_SECRET_NAME\}") as refused:
        LoadPlan(headers={name: "hunter2-hunter2"})
    assert "hunter2" not in str(refused.value)
    assert LoadPlan(headers={name: f"Bearer {SHOP}"}).headers[name].endswith("}")


@pytest.mark.parametrize(
    "name",
    [
        "Accept", "X-Author", "Authority", "X-Session-Id", "Idempotency-Key", "X-Idempotency-Key", "X-Keyboard",
        "X-Request-Id", "X-Oauthor", "X-Cache-Key", "Surrogate-Key", "Routing-Key", "X-Partition-Key", "X-Hash-Key",
        "Sec-WebSocket-Key", "X-Public-Key", "Signature-Input", "X-Design", "X-Signal", "Traceparent", "X-Pod-Name",
        "X-Tenant-Id", "If-Match", "ETag", "Content-Digest", "X-Passenger", "X-Monkeys", "Keep-Alive", "Referer",
        "X-Forwarded-For", "X-Canary", "User-Agent", "Accept-Language", "Content-Type", "Range",
    ],
)  # fmt: skip
def test_other_headers_hold_what_they_like(name: str) -> None:
    assert LoadPlan(headers={name: "a value"}).headers[name] == "a value"


def test_a_value_that_was_hidden_can_be_kept_and_never_sent() -> None:
    plan = LoadPlan(headers={"X-Auth-Token": HIDDEN, "X-Other": HIDDEN})
    with pytest.raises(
        PlanError, match=r"headers = 'X-Auth-Token' cannot be used: its value was a secret and is not kept"
    ):
        needed(plan.headers, plan.body, {})
    assert needed({"X-Other": HIDDEN}, "", {}) == {}


def test_too_many_headers_are_not_repeated() -> None:
    with pytest.raises(PlanError) as refused:
        LoadPlan(headers={"Authorization": "hunter2-hunter2"} | {f"A{i}": "" for i in range(50)})
    assert "hunter2" not in str(refused.value)


def test_a_binding_is_no_secret() -> None:
    assert is_secret_name("SCALE_SECRET_SHOP")
    for name in ("SCALE_SECRET_SHOP_FOR", "SCALE_SECRET_", "SCALE_SECRET_shop", "HOME", "SCALE_WORKER_SECRET"):
        assert not is_secret_name(name)


def test_a_secret_does_not_show_its_value() -> None:
    assert "hunter2" not in repr(Secret("SCALE_SECRET_SHOP", "hunter2-hunter2"))
