"""Who may sign in and how: what the environment says, and when a server must not start."""

import pytest

from scale_app.domain.errors import SettingsError
from scale_app.domain.identity import Role
from scale_app.identity_settings import IdentitySettings, ProxySettings, load_identity

PROXY = {"SCALE_PROXY_NETWORKS": "10.1.0.0/16, 127.0.0.9", "SCALE_ROLES": "viewer=*,operator=sre,admin=platform"}


def test_an_empty_environment_asks_nobody_on_loopback_and_nowhere_else() -> None:
    identity = load_identity({})
    assert identity == IdentitySettings()
    assert [identity.open_to_all(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [identity.open_to_all(host) for host in ("0.0.0.0", "::", "10.0.0.7", "scale.example", "127.1")] == [
        False
    ] * 5


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "scale.example"])
def test_beyond_loopback_something_has_to_say_who_may_do_what(host: str) -> None:
    assert load_identity({}).objection(host).startswith(f"SCALE_HOST = '{host}' lets other machines in")
    for said in ({"SCALE_AUTH": "none"}, {"SCALE_AUTH": "required"}, PROXY):
        assert load_identity(said).objection(host) == ""


def test_nothing_has_to_be_said_on_loopback() -> None:
    assert [load_identity({}).objection(host) for host in ("127.0.0.1", "::1", "localhost")] == ["", "", ""]


@pytest.mark.parametrize(
    ("said", "everybody"),
    [({}, True), ({"SCALE_AUTH": "none"}, True), ({"SCALE_AUTH": "required"}, False), (PROXY, False)],
)
def test_who_is_asked_on_loopback(said: dict[str, str], everybody: bool) -> None:
    assert load_identity(said).open_to_all("127.0.0.1") is everybody


def test_a_proxy_is_read_with_its_networks_and_headers() -> None:
    given = PROXY | {"SCALE_PROXY_USER_HEADER": "X-Auth-Request-User", "SCALE_PROXY_GROUPS_HEADER": "X-Groups"}
    identity = load_identity(given)
    networks = ("10.1.0.0/16", "127.0.0.9/32")
    assert identity.proxy == ProxySettings(networks, "X-Auth-Request-User", "X-Forwarded-Email", "X-Groups")
    assert identity.roles == {"*": Role.VIEWER, "sre": Role.OPERATOR, "platform": Role.ADMIN}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SCALE_AUTH", "off"),
        ("SCALE_AUTH", "tokens"),
        ("SCALE_PROXY_NETWORKS", "proxy.example"),
        ("SCALE_PROXY_NETWORKS", "10.1.2.3/16"),
        ("SCALE_PROXY_USER_HEADER", "X_User"),
        ("SCALE_PROXY_USER_HEADER", "X-User:"),
        ("SCALE_ROLES", "sre"),
        ("SCALE_ROLES", "owner=sre"),
    ],
)
def test_a_bad_value_stops_the_start_with_its_name(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{name} = .* is not accepted"):
        load_identity(PROXY | {name: value})


def test_a_proxy_needs_roles() -> None:
    with pytest.raises(SettingsError, match="SCALE_PROXY_NETWORKS is set, and SCALE_ROLES is not"):
        load_identity({"SCALE_PROXY_NETWORKS": "10.1.0.0/16"})


def test_none_and_a_proxy_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match="set one or the other"):
        load_identity(PROXY | {"SCALE_AUTH": "none"})
