"""The operator's secrets and where each may go, from the environment."""

from __future__ import annotations

import pytest

from scale_app.adapters.gatekeeper import bound_elsewhere
from scale_app.domain.errors import SettingsError
from scale_app.domain.secret import Secret
from scale_app.secret_settings import load_secrets, own_names
from scale_app.settings import Settings

VALUE = "hunter2-hunter2"


def test_a_secret_is_bound_to_the_targets_of_its_second_variable() -> None:
    environment = {
        "SCALE_SECRET_SHOP": VALUE,
        "SCALE_SECRET_SHOP_FOR": "API.shop.svc, *.staging.example,10.20.0.0/16,kubernetes:shop/*",
        "SCALE_SECRET_OLD": "short",
        "SCALE_SECRET_ODD_FOR": "api.shop.svc",
        "SCALE_WORKER_SECRET": VALUE,
        "HOME": "/root",
    }
    bound = ("api.shop.svc", "*.staging.example", "10.20.0.0/16", "kubernetes:shop/*")
    assert load_secrets(environment) == (
        Secret("SCALE_SECRET_ODD", "", ("api.shop.svc",)),
        Secret("SCALE_SECRET_OLD", "short"),
        Secret("SCALE_SECRET_SHOP", VALUE, bound),
    )
    assert VALUE not in repr(load_secrets(environment))
    assert load_secrets({}) == ()


@pytest.mark.parametrize("targets", ["a b", "10.20.0.0/99", "*", "kubernetes:shop", "https://api.shop.svc"])
def test_a_binding_that_names_no_target_stops_the_start(targets: str) -> None:
    with pytest.raises(SettingsError, match="SCALE_SECRET_SHOP_FOR") as refused:
        load_secrets({"SCALE_SECRET_SHOP": VALUE, "SCALE_SECRET_SHOP_FOR": targets})
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize(
    "target",
    [
        *("localhost", "LOCALHOST.", "pods.localhost", "*.localhost", "127.0.0.1", "127.0.0.0/8", "127.1.2.0/24"),
        *("::1", "::ffff:127.0.0.1", "scale.example"),
    ],
)
def test_a_binding_to_this_machine_stops_the_start_with_a_sentence(target: str) -> None:
    environment = {"SCALE_SECRET_SHOP": VALUE, "SCALE_SECRET_SHOP_FOR": f"api.shop.svc,{target}"}
    with pytest.raises(SettingsError, match="this machine, to which a secret is never sent") as refused:
        load_secrets(environment, installation=("scale.example",))
    assert "SCALE_SECRET_SHOP_FOR = " in str(refused.value)
    assert VALUE not in str(refused.value)


OWN = ("10.9.8.7", "fd00::7")


@pytest.mark.parametrize("target", ["10.9.8.7", "10.9.8.7/32", "::ffff:10.9.8.7", "FD00::7", "fd00:0:0::7/128"])
def test_a_binding_to_an_address_of_this_machine_s_own_stops_the_start_too(target: str) -> None:
    secret = Secret("SCALE_SECRET_SHOP", VALUE, ("api.shop.svc", target))
    with pytest.raises(SettingsError, match="this machine, to which a secret is never sent") as refused:
        bound_elsewhere([secret], (), OWN.__contains__)
    assert VALUE not in str(refused.value)


@pytest.mark.parametrize("target", ["10.9.8.8", "10.9.8.0/24", "fd00::/64", "fd00::8"])
def test_a_binding_to_another_address_or_to_a_range_is_taken(target: str) -> None:
    secret = Secret("SCALE_SECRET_SHOP", VALUE, (target,))
    assert bound_elsewhere([secret], (), OWN.__contains__) == [secret]


@pytest.mark.parametrize("target", ["localhost.example", "0.0.0.0/0", "128.0.0.1", "*.example", "kubernetes:a/b"])
def test_a_binding_that_others_have_too_is_taken(target: str) -> None:
    environment = {"SCALE_SECRET_SHOP": VALUE, "SCALE_SECRET_SHOP_FOR": target}
    assert load_secrets(environment, installation=("scale.example",))[0].targets == (target,)


@pytest.mark.parametrize("value", ["hunter2", "hunter2\r\nX-Other: b", "hunter2-häuser", "hunter2\0hunter2"])
def test_a_value_that_cannot_be_sent_or_kept_out_of_answers_stops_the_start_unseen(value: str) -> None:
    with pytest.raises(SettingsError, match="SCALE_SECRET_SHOP is not accepted") as refused:
        load_secrets({"SCALE_SECRET_SHOP": value, "SCALE_SECRET_SHOP_FOR": "api.shop.svc"})
    assert "hunter2" not in str(refused.value)


def test_the_installation_knows_its_own_names() -> None:
    settings = Settings(allowed_hosts=("scale.example", "*.corp.example"), public_url="https://Load.example:8443/x")
    assert own_names(settings) == ("scale.example", "load.example")
    assert own_names(Settings()) == ()
