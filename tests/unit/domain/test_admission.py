"""Which targets may be loaded, as tables: no network, no resolver."""

import pytest

from scale_app.domain.admission import check_name, host_of, may_load
from scale_app.domain.errors import TargetRefused

EVERYTHING = ("0.0.0.0/0", "::/0", "*.example", "metadata.google.internal", "169.254.169.254")


@pytest.mark.parametrize(
    ("address", "network"),
    [("127.0.0.1", "127.0.0.1/32"), ("127.8.9.1", "127.8.9.1/32"), ("::1", "::1/128")],
)
def test_this_machines_loopback_needs_no_listing(address: str, network: str) -> None:
    assert may_load("http://localhost:8080/", [address], (), ()) == (network,)


def test_an_own_address_needs_no_listing() -> None:
    assert may_load("http://10.0.0.7/", ["10.0.0.7"], (), ["10.0.0.7"]) == ("10.0.0.7/32",)


@pytest.mark.parametrize(
    ("host", "address", "entry"),
    [
        ("api.shop.svc", "10.1.2.3", "api.shop.svc"),
        ("API.shop.svc.", "10.1.2.3", "api.shop.svc"),
        ("api.shop.svc", "10.1.2.3", "*.shop.svc"),
        ("a.b.shop.svc", "10.1.2.3", "*.shop.svc"),
        ("api.shop.svc", "10.1.2.3", "10.1.2.3"),
        ("api.shop.svc", "10.1.2.3", "10.1.0.0/16"),
        ("bücher.example", "10.1.2.3", "xn--bcher-kva.example"),
        ("[2001:db9::5]", "2001:db9::5", "2001:db9::/32"),
        ("[::ffff:10.1.2.3]", "::ffff:10.1.2.3", "10.1.2.3"),
    ],
)
def test_a_listed_target_is_admitted(host: str, address: str, entry: str) -> None:
    assert may_load(f"http://{host}/", [address], (entry,), ())


@pytest.mark.parametrize(
    ("host", "address", "entry"),
    [
        ("shop.svc", "10.1.2.3", "*.shop.svc"),
        ("evilshop.svc", "10.1.2.3", "*.shop.svc"),
        ("api.shop.svc.evil.example", "10.1.2.3", "api.shop.svc"),
        ("api.shop.svc", "10.1.2.3", "10.2.0.0/16"),
        ("10.0.0.10", "10.0.0.10", "10.0.0.1"),
        ("example.com", "93.184.216.34", "api.shop.svc"),
    ],
)
def test_an_unlisted_target_is_refused(host: str, address: str, entry: str) -> None:
    with pytest.raises(TargetRefused, match="SCALE_ALLOWED_TARGETS"):
        may_load(f"http://{host}/", [address], (entry,), ())


def test_the_refusal_says_what_was_tried_and_what_to_do() -> None:
    with pytest.raises(TargetRefused) as refused:
        may_load("http://10.0.0.1/", ["10.0.0.1"], (), ())
    assert str(refused.value) == (
        "Load to http://10.0.0.1/ was refused before a packet was sent: 10.0.0.1 is not in SCALE_ALLOWED_TARGETS. "
        "Ask the operator to add it, or test the demo."
    )


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.170.2",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "::ffff:a9fe:a9fe",
        "::169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
    ],
)
def test_a_metadata_address_is_refused_whatever_is_listed(address: str) -> None:
    with pytest.raises(TargetRefused, match="metadata"):
        may_load("http://anything.example/", [address], EVERYTHING, [address])


@pytest.mark.parametrize("host", ["metadata.google.internal", "METADATA.google.internal.", "metadata", "instance-data"])
def test_a_metadata_name_is_refused_before_it_is_resolved(host: str) -> None:
    with pytest.raises(TargetRefused, match="metadata"):
        check_name(f"http://{host}/computeMetadata/v1/")
    with pytest.raises(TargetRefused, match="metadata"):
        may_load(f"http://{host}/", ["127.0.0.1"], EVERYTHING, ())


@pytest.mark.parametrize(
    "address", ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0"]
)
def test_an_address_of_no_single_host_is_refused_whatever_is_listed(address: str) -> None:
    with pytest.raises(TargetRefused, match="not the address of one host"):
        may_load("http://anything.example/", [address], EVERYTHING, [address])


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    with pytest.raises(TargetRefused, match="metadata"):
        may_load("http://api.example/", ["127.0.0.1", "169.254.169.254"], EVERYTHING, ())
    with pytest.raises(TargetRefused, match=r"10\.0\.0\.1"):
        may_load("http://api.shop/", ["127.0.0.1", "10.0.0.1"], (), ())


def test_every_address_becomes_one_network() -> None:
    networks = may_load("http://api.shop/", ["10.0.0.1", "2001:db9::1", "10.0.0.1"], ("api.shop",), ())
    assert networks == ("10.0.0.1/32", "2001:db9::1/128")


def test_hosts_are_compared_in_one_spelling() -> None:
    assert host_of("http://API.Shop.svc.:8080/x") == "api.shop.svc"
