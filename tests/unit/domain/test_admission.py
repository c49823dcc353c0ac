"""Which targets may be loaded, as tables: no network, no resolver."""

from contextlib import nullcontext
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scale_app.domain.addresses import readings
from scale_app.domain.admission import (
    check_behind,
    check_host_header,
    check_name,
    doors_of,
    host_of,
    may_load,
)
from scale_app.domain.errors import TargetRefused

EVERYTHING = ("0.0.0.0/0", "::/0", "*.example", "metadata.google.internal", "169.254.169.254")


@pytest.mark.parametrize(
    ("url", "address", "entry"),
    [
        ("http://127.0.0.1:8080/", "127.0.0.1", "127.0.0.1"),
        ("http://127.8.9.1/", "127.8.9.1", "127.0.0.0/8"),
        ("http://127.8.9.1/", "127.8.9.1", "127.8.0.0/16"),
        ("http://[::1]/", "::1", "::1"),
        ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1", "127.0.0.1"),
        ("http://localhost:8080/", "127.0.0.1", "localhost"),
        ("http://LOCALHOST.:8080/", "::1", "localhost"),
        ("http://shop.localhost/", "127.0.0.1", "*.localhost"),
        ("http://10.0.0.7/", "10.0.0.7", "10.0.0.7"),
    ],
)
def test_this_machine_is_admitted_where_it_is_listed_itself(url: str, address: str, entry: str) -> None:
    check_name(url, (entry,))
    assert len(may_load(url, [address], (entry,), ["10.0.0.7"])) == 1


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080/", "127.0.0.1"),
        ("http://127.8.9.1/", "127.8.9.1"),
        ("http://[::1]/", "::1"),
        ("http://[::ffff:127.0.0.1]/", "::ffff:127.0.0.1"),
        ("http://[::127.0.0.1]/", "::127.0.0.1"),
        ("http://[64:ff9b::7f00:1]/", "64:ff9b::7f00:1"),
        ("http://[2002:7f00:1::]/", "2002:7f00:1::"),
        ("http://10.0.0.7/", "10.0.0.7"),
        ("http://[::ffff:10.0.0.7]/", "::ffff:10.0.0.7"),
        ("http://[fd00::7]/", "fd00::7"),
        ("http://any.example/", "127.0.0.1"),
        ("http://any.example/", "10.0.0.7"),
        ("http://localhost/", "127.0.0.1"),
    ],
)
@pytest.mark.parametrize("allowed", [(), ("0.0.0.0/0", "::/0", "*.example", "any.example", "fd00::/8", "10.0.0.0/8")])
def test_this_machine_is_refused_where_only_a_range_or_a_domain_has_it(
    url: str, address: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(TargetRefused, match="is this machine, which SCALE_ALLOWED_TARGETS does not list"):
        may_load(url, [address], allowed, ["10.0.0.7", "fd00::7"])


def test_the_refusal_of_this_machine_says_what_to_list() -> None:
    for host, listed in (("localhost", "localhost"), ("127.0.0.1", "127.0.0.1"), ("me.example", "127.0.0.1")):
        with pytest.raises(TargetRefused, match=rf"Let the operator add {listed} there, or test the demo\.$"):
            may_load(f"http://{host}:8080/", ["127.0.0.1"], ("me.example",), ())


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1", "10.0.0.7", "fd00::7"])
def test_the_servers_own_port_is_refused_whatever_is_listed(address: str) -> None:
    allowed, own = (*EVERYTHING, "127.0.0.0/8", "::1", "10.0.0.7", "fd00::7", "localhost"), ["10.0.0.7", "fd00::7"]
    for host in ("any.example", "localhost", f"[{address}]" if ":" in address else address):
        with pytest.raises(TargetRefused, match="is Scale itself, which is never a target"):
            may_load(f"http://{host}:8000/", [address], allowed, own, (8000, 5557))
    assert may_load(f"http://{host}:8001/", [address], allowed, own, (8000, 5557))


def test_another_machines_port_of_the_same_number_is_no_own_port() -> None:
    assert may_load("http://api:8000/", ["10.0.0.8"], ("api",), ["10.0.0.7"], (8000,))


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("https://scale.example/", True),
        ("http://SCALE.example./x", True),
        ("https://public.example:8443/", True),
        ("http://scale.shop.svc:8000/", True),
        ("http://[fd00::7]:8000/", True),
        ("http://scale.example:9000/", False),
        ("https://other.corp.example/", False),
        ("https://public.example/", False),
    ],
)
def test_the_names_by_which_people_reach_the_server_are_refused(url: str, refused: bool) -> None:
    names = ("scale.example", "scale.shop.svc", "*.corp.example", "fd00::7", "localhost")
    doors = doors_of("https://public.example:8443/scale", names, 8000)
    allowed = ("*.example", "*.svc", "fd00::7")
    with pytest.raises(TargetRefused, match="is Scale itself") if refused else nullcontext():
        check_name(url, allowed, doors)


def test_a_service_in_front_of_the_server_is_refused() -> None:
    with pytest.raises(TargetRefused, match=r"a pod behind it, 10\.0\.0\.7 port 8000, is Scale itself"):
        check_behind("http://scale.scale.svc/", [("10.0.0.7", 8000)], (8000,))
    check_behind("http://scale.scale.svc/", [("10.0.0.7", 8001)], (8000,))


@pytest.mark.parametrize(
    ("host", "address", "entry"),
    [
        ("api.shop.svc", "10.1.2.3", "api.shop.svc"),
        ("API.shop.svc.", "10.1.2.3", "api.shop.svc"),
        ("api.shop.svc", "10.1.2.3", "*.shop.svc"),
        ("a.b.shop.svc", "10.1.2.3", "*.shop.svc"),
        ("10.1.2.3", "10.1.2.3", "10.1.0.0/16"),
        ("0xa010203", "10.1.2.3", "10.1.2.3"),
        ("[64:ff9b::10.1.2.3]", "64:ff9b::10.1.2.3", "10.1.2.3"),
        ("[64:ff9b:1::10.1.2.3]", "64:ff9b:1::10.1.2.3", "10.1.2.3"),
        ("bücher.example", "10.1.2.3", "xn--bcher-kva.example"),
        ("[2001:db9::5]", "2001:db9::5", "2001:db9::/32"),
        ("[::ffff:10.1.2.3]", "::ffff:10.1.2.3", "10.1.2.3"),
    ],
)
def test_a_listed_target_is_admitted(host: str, address: str, entry: str) -> None:
    check_name(f"http://{host}/", (entry,))
    assert may_load(f"http://{host}/", [address], (entry,), ())


@pytest.mark.parametrize(
    ("host", "address", "entry"),
    [
        ("shop.svc", "10.1.2.3", "*.shop.svc"),
        ("evilshop.svc", "10.1.2.3", "*.shop.svc"),
        ("api.shop.svc.evil.example", "10.1.2.3", "api.shop.svc"),
        ("api.shop.svc", "10.1.2.3", "10.1.0.0/16"),
        ("api.shop.svc", "10.1.2.3", "10.1.2.3"),
        ("10.0.0.10", "10.0.0.10", "10.0.0.1"),
        ("example.com", "93.184.216.34", "api.shop.svc"),
    ],
)
def test_an_unlisted_target_is_refused(host: str, address: str, entry: str) -> None:
    with pytest.raises(TargetRefused, match="SCALE_ALLOWED_TARGETS"):
        if_admitted(f"http://{host}/", address, entry)


def if_admitted(url: str, address: str, entry: str) -> tuple[str, ...]:
    check_name(url, (entry,))
    return may_load(url, [address], (entry,), ())


def test_the_refusal_says_what_was_tried_and_what_to_do() -> None:
    with pytest.raises(TargetRefused) as refused:
        may_load("http://10.0.0.1/", ["10.0.0.1"], (), ())
    assert str(refused.value) == (
        "Load to http://10.0.0.1/ was refused before a packet was sent: 10.0.0.1 is not in SCALE_ALLOWED_TARGETS. "
        "Let the operator add 10.0.0.1 there, or test the demo."
    )
    with pytest.raises(TargetRefused) as refused:
        check_name("http://shop.internal/", ("10.0.0.0/8",))
    assert str(refused.value) == (
        "Load to http://shop.internal/ was refused before a packet was sent: shop.internal is not in "
        "SCALE_ALLOWED_TARGETS, and a range of addresses does not list a name. Let the operator add shop.internal "
        "there, or test the demo."
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
        check_name(f"http://{host}/computeMetadata/v1/", EVERYTHING)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "0.1.2.3", "::", "224.0.0.1", "255.255.255.255", "ff02::1", "::ffff:0.0.0.0", "fec0::1", "64:ff9b:1::"],
)
def test_an_address_of_no_single_host_is_refused_whatever_is_listed(address: str) -> None:
    with pytest.raises(TargetRefused, match="not the address of one host"):
        may_load("http://anything.example/", [address], EVERYTHING, [address])


def test_one_bad_address_among_good_ones_refuses_the_name() -> None:
    with pytest.raises(TargetRefused, match="metadata"):
        may_load("http://api.example/", ["10.0.0.1", "169.254.169.254"], EVERYTHING, ())
    with pytest.raises(TargetRefused, match=r"10\.0\.0\.1"):
        may_load("http://api.example/", ["10.0.0.2", "10.0.0.1"], ("10.0.0.2",), ())


def test_every_address_becomes_one_network() -> None:
    networks = may_load("http://api.shop/", ["10.0.0.1", "2001:db9::1", "10.0.0.1"], ("api.shop",), ())
    assert networks == ("10.0.0.1/32", "2001:db9::1/128")


def test_hosts_are_compared_in_one_spelling() -> None:
    assert host_of("http://API.Shop.svc.:8080/x") == "api.shop.svc"


PRIVATE_OR_METADATA = st.one_of(
    st.ip_addresses(network="10.0.0.0/8"),
    st.ip_addresses(network="192.168.0.0/16"),
    st.ip_addresses(network="127.0.0.0/8"),
    st.ip_addresses(network="169.254.0.0/16"),
    st.sampled_from([IPv4Address("100.100.100.200"), IPv4Address("168.63.129.16")]),
)
NAT64 = int(IPv6Address("64:ff9b:1::"))
FORMS = {
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "compatible": lambda v4: v4,
    "translated": lambda v4: 0xFFFF << 48 | v4,
    "NAT64": lambda v4: 0x64FF9B << 96 | v4,
    "NAT64 of a network, 96": lambda v4: NAT64 | v4,
    "NAT64 of a network, 64": lambda v4: NAT64 | v4 << 24,
    "NAT64 of a network, 56": lambda v4: NAT64 | (v4 >> 24) << 64 | (v4 & 0xFFFFFF) << 32,
    "NAT64 of a network, 48": lambda v4: NAT64 | (v4 >> 16) << 64 | (v4 & 0xFFFF) << 40,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "Teredo client": lambda v4: 0x20010000 << 96 | 0x08080808 << 64 | v4 ^ 0xFFFFFFFF,
    "Teredo server": lambda v4: 0x20010000 << 96 | v4 << 64 | 0x08080808 ^ 0xFFFFFFFF,
}


@pytest.mark.parametrize("form", FORMS)
@given(inner=PRIVATE_OR_METADATA)
def test_a_form_of_an_address_is_no_way_around_it(form: str, inner: IPv4Address) -> None:
    address = str(IPv6Address(FORMS[form](int(inner))))
    for host in (f"[{address}]", "any.example"):
        with pytest.raises(TargetRefused):
            may_load(f"http://{host}/", [address], ("::/0", "8.8.8.8"), ())


@pytest.mark.parametrize("form", FORMS)
@given(inner=st.ip_addresses(network="169.254.0.0/16"))
def test_metadata_is_refused_in_each_form_though_all_is_listed(form: str, inner: IPv4Address) -> None:
    address = str(IPv6Address(FORMS[form](int(inner))))
    with pytest.raises(TargetRefused, match=r"metadata|not the address of one host"):
        may_load("http://any.example/", [address], EVERYTHING, ())


@pytest.mark.parametrize("form", FORMS)
@given(inner=st.ip_addresses(network="10.7.0.0/16"), port=st.sampled_from([8000, 5557]))
def test_the_own_port_is_refused_in_each_form_of_an_own_address(form: str, inner: IPv4Address, port: int) -> None:
    address = str(IPv6Address(FORMS[form](int(inner))))
    with pytest.raises(TargetRefused, match=r"Scale itself|not in SCALE|not the address of one host"):
        may_load(f"http://[{address}]:{port}/", [address], ("0.0.0.0/0", str(inner)), [str(inner)], (8000, 5557))


@given(address=st.ip_addresses(v=6))
def test_readings_are_addresses_and_of_a_plain_address_itself(address: IPv6Address) -> None:
    found = readings(address)
    assert found
    assert found == (address,) or all(isinstance(each, IPv4Address) for each in found)


def host(url: str, given: str, *allowed: str) -> None:
    doors = doors_of("https://scale.example/", ("scale.example",), 8000)
    check_host_header(url, {"hOsT": given}, allowed, doors)


@pytest.mark.parametrize(
    ("given", "allowed"),
    [
        ("10.0.0.5", ()),
        ("10.0.0.5:8080", ()),
        ("shop.example:80", ("shop.example",)),
        ("SHOP.example.", ("*.example",)),
        ("10.9.9.9", ("10.9.0.0/16",)),
    ],
)
def test_the_host_of_the_url_or_of_the_list_may_be_asked_for(given: str, allowed: tuple[str, ...]) -> None:
    host("http://10.0.0.5/", given, *allowed)


def test_without_a_host_header_nothing_is_checked() -> None:
    check_host_header("http://10.0.0.5/", {"Accept": "*/*", "X-Forwarded-Host": "evil.example"}, ())


@pytest.mark.parametrize("given", ["admin.internal", "admin.internal:80", "10.0.0.6", "localhost", "shop.example.evil"])
def test_another_host_is_refused_and_named(given: str) -> None:
    with pytest.raises(TargetRefused) as refused:
        host("http://10.0.0.5/", given, "shop.example", "10.0.0.5")
    name = given.partition(":")[0]
    assert f"its Host header asks for {name}, which is neither the URL's host nor in SCALE_ALLOWED_TARGETS. " in str(
        refused.value
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("metadata.google.internal", "metadata"),
        ("169.254.169.254", "metadata"),
        ("[64:ff9b::a9fe:a9fe]", "metadata"),
        ("scale.example:443", "is Scale itself"),
    ],
)
def test_a_host_that_is_never_a_target_is_refused_though_it_is_listed(given: str, said: str) -> None:
    with pytest.raises(TargetRefused, match=said):
        host("http://10.0.0.5/", given, *EVERYTHING)
