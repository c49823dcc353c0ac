"""The gate with a resolver by hand; the spellings of addresses go through the machine's own, which sends nothing."""

import asyncio
import socket
from collections.abc import Collection, Sequence
from dataclasses import replace

import pytest

from scale_app.adapters import gatekeeper
from scale_app.adapters.gatekeeper import TargetGatekeeper
from scale_app.domain.cluster import ServiceFound, ServiceRef
from scale_app.domain.errors import ClusterUnavailable, ScaleError, TargetRefused, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Source
from scale_app.ports import Admitted


class Names:
    """A resolver that knows what it is told and remembers what it was asked."""

    def __init__(self, **known: list[str]) -> None:
        self.known = known
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        if host not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.known[host]


async def demo_url() -> str:
    return "http://127.0.0.1:4321/"


def gate(*allowed: str, names: Names | None = None, ports: Collection[int] = ()) -> TargetGatekeeper:
    return TargetGatekeeper(
        allowed,
        demo_url,
        resolve=names,
        is_own=lambda address: address in ("10.9.9.9", "127.0.0.1"),
        own_ports=lambda: ports,
    )


async def test_the_demo_is_admitted_at_its_own_address_on_loopback() -> None:
    admitted = await gate().admit(LoadPlan("demo"))
    assert admitted == Admitted("http://127.0.0.1:4321/", Source.DEMO, ("127.0.0.0/8",), one_port=True)


async def test_simulated_counts_reach_no_network() -> None:
    admitted = await gate().admit(LoadPlan("simulated?pods=200"))
    assert admitted == Admitted("simulated?pods=200", Source.SIMULATED, ())


async def test_a_listed_name_is_admitted_with_the_addresses_it_has_now() -> None:
    names = Names(api=["10.0.0.1", "10.0.0.2"])
    admitted = await gate("api", names=names).admit(LoadPlan("http://api:8080/x"))
    assert admitted == Admitted("http://api:8080/x", Source.HEADER, ("10.0.0.1/32", "10.0.0.2/32"))
    assert names.asked == [("api", 8080)]


async def test_a_name_for_this_machine_is_admitted_where_its_address_is_listed() -> None:
    names = Names(me=["10.9.9.9"])
    with pytest.raises(TargetRefused, match=r"me \(10\.9\.9\.9\) is this machine"):
        await gate("me", "10.0.0.0/8", names=names).admit(LoadPlan("https://me/"))
    admitted = await gate("me", "10.9.9.9", names=names).admit(LoadPlan("https://me/"))
    assert (admitted.networks, admitted.one_port) == (("10.9.9.9/32",), True)


async def test_a_load_of_this_machine_is_kept_to_its_port_and_another_is_not() -> None:
    assert not (
        await gate("10.0.0.1", names=Names(**{"10.0.0.1": ["10.0.0.1"]})).admit(LoadPlan("http://10.0.0.1/"))
    ).one_port


@pytest.mark.parametrize("address", ["10.9.9.9", "127.0.0.1", "::ffff:10.9.9.9", "2002:a09:909::1", "64:ff9b::a09:909"])
async def test_a_port_on_which_this_server_listens_is_refused_by_any_name(address: str) -> None:
    names, allowed = Names(me=["10.0.0.1", address]), ("me", "10.9.9.9", "10.0.0.1", "127.0.0.1")
    with pytest.raises(TargetRefused, match="is Scale itself"):
        await gate(*allowed, names=names, ports=(8000, 4321)).admit(LoadPlan("http://me:4321/"))
    assert (await gate(*allowed, names=names, ports=(8000,)).admit(LoadPlan("http://me:4321/"))).one_port


@pytest.mark.parametrize("allowed", [(), ("10.0.0.0/8",), ("0.0.0.0/0", "::/0"), ("*.other", "kubernetes:*/*")])
@pytest.mark.parametrize(
    "url", ["http://shop/", "http://secret.evil.example/", "http://localhost/", "http://cart.shop.svc.evil.example/"]
)
async def test_a_name_that_is_not_listed_is_refused_without_asking_the_resolver(
    url: str, allowed: tuple[str, ...]
) -> None:
    names = Names()
    with pytest.raises(
        TargetRefused, match="is not in SCALE_ALLOWED_TARGETS, and a range of addresses does not list a name"
    ):
        await gate(*allowed, names=names).admit(LoadPlan(url))
    assert names.asked == []


async def test_the_hosts_of_requests_are_checked_before_the_resolver_is_asked() -> None:
    names = Names(api=["10.0.0.1"])
    with pytest.raises(TargetRefused, match=r"its Host header asks for admin\.internal"):
        await gate("api", names=names).admit(LoadPlan("http://api/", headers={"host": "admin.internal"}))
    assert names.asked == []
    await gate("api", "admin.internal", names=names).admit(LoadPlan("http://api/", headers={"host": "admin.internal"}))


async def test_a_metadata_name_is_refused_without_asking_the_resolver() -> None:
    names = Names()
    with pytest.raises(TargetRefused, match="metadata"):
        await gate("metadata.google.internal", names=names).admit(LoadPlan("http://metadata.google.internal/"))
    assert names.asked == []


@pytest.mark.parametrize("url", ["http://no-such-host/", f"http://{'a' * 70}.example/", "http://a..b/"])
async def test_a_name_that_cannot_be_resolved_is_unavailable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    names = Names() if "no-such" in url else None
    with pytest.raises(TargetUnavailable, match="could not be found") as unavailable:
        await gate("no-such-host", "*.example", "a..b", names=names).admit(LoadPlan(url))
    assert url in str(unavailable.value)


async def test_what_a_plan_sends_is_told_to_whoever_watches_the_pods() -> None:
    plan = LoadPlan("http://api:8080/x", headers={"X-Next": "always"})
    admitted = await gate("api", names=Names(api=["10.0.0.1"])).admit(plan)
    assert admitted.headers == {"X-Next": "always"}


async def test_a_resolver_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hangs(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(gatekeeper, "RESOLVE_LIMIT_S", 0.01)
    with pytest.raises(TargetUnavailable, match="no answer within"):
        await TargetGatekeeper(("api",), demo_url, resolve=hangs).admit(LoadPlan("http://api/"))


@pytest.mark.parametrize(
    "host", ["2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]"]
)
async def test_other_spellings_of_the_metadata_address_are_refused(host: str) -> None:
    with pytest.raises(TargetRefused, match="metadata"):
        await TargetGatekeeper(("0.0.0.0/0", "::/0"), demo_url).admit(LoadPlan(f"http://{host}/"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1"])
async def test_every_spelling_of_loopback_is_this_machine(host: str) -> None:
    gatekeeper = TargetGatekeeper(("127.0.0.1", "localhost"), demo_url)
    assert "127.0.0.1/32" in (await gatekeeper.admit(LoadPlan(f"http://{host}:9/"))).networks
    with pytest.raises(TargetRefused, match=r"SCALE_ALLOWED_TARGETS"):
        await TargetGatekeeper(("0.0.0.0/0", "::/0", "*"), demo_url).admit(LoadPlan(f"http://{host}:9/"))


@pytest.mark.parametrize(
    ("address", "own"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("192.0.2.77", False), ("2001:db8::77", False)],
)
def test_own_addresses_are_those_from_which_this_machine_would_send_to_them(address: str, own: bool) -> None:
    assert gatekeeper.is_own_address(address) is own


CART = ServiceRef("shop", "cart", port=8080)
FOUND = ServiceFound(CART, ("10.0.0.7",), (8080,))


class Finder:
    """A cluster that has one Service, or fails."""

    def __init__(self, answer: ServiceFound | ScaleError) -> None:
        self.answer = answer
        self.asked: list[ServiceRef] = []

    async def __call__(self, service: ServiceRef) -> ServiceFound:
        self.asked.append(service)
        if isinstance(self.answer, ScaleError):
            raise self.answer
        return self.answer


def cluster_gate(answer: ServiceFound | ScaleError, *allowed: str, **known: list[str]) -> TargetGatekeeper:
    return TargetGatekeeper(
        allowed, demo_url, resolve=Names(**known), is_own=lambda _: False, find_service=Finder(answer)
    )


def at_address(address: str, port: int = 8080, service: str = "shop/cart") -> tuple[LoadPlan, dict[str, list[str]]]:
    return LoadPlan(f"http://{address}:{port}/", service=service), {address: [address]}


async def test_a_listed_service_is_admitted_at_its_own_address() -> None:
    plan, names = at_address("10.0.0.7")
    admitted = await cluster_gate(FOUND, "kubernetes:shop/*", **names).admit(plan)
    assert admitted == Admitted(plan.target_url, Source.HEADER, ("10.0.0.7/32",), CART)


async def test_a_service_that_is_not_listed_is_refused_although_it_was_found() -> None:
    plan, names = at_address("10.0.0.7")
    with pytest.raises(TargetRefused):
        await cluster_gate(FOUND, "kubernetes:other/*", **names).admit(plan)


@pytest.mark.parametrize(("address", "port"), [("10.0.0.8", 8080), ("10.0.0.7", 22)])
async def test_a_listed_service_admits_no_other_address_and_no_other_port(address: str, port: int) -> None:
    plan, names = at_address(address, port)
    with pytest.raises(TargetRefused):
        await cluster_gate(FOUND, "kubernetes:shop/cart", **names).admit(plan)


@pytest.mark.parametrize("address", ["10.0.0.0/8", "*.example", "169.254.169.254"])
async def test_a_service_that_claims_strange_addresses_opens_none_of_them(address: str) -> None:
    found = ServiceFound(CART, (address,), (8080,))
    host = {"10.0.0.0/8": "10.1.1.1", "*.example": "x.example"}.get(address, address)
    target = {"x.example": "10.1.1.1"}.get(host, host)
    plan, names = LoadPlan(f"http://{host}:8080/", service="shop/cart"), {host: [target]}
    with pytest.raises(TargetRefused):
        await cluster_gate(found, "kubernetes:shop/cart", **names).admit(plan)


@pytest.mark.parametrize("host", ["cart.shop.svc", "cart.shop.svc.cluster.local"])
async def test_a_listed_services_own_name_needs_no_other_entry(host: str) -> None:
    admitted = await cluster_gate(FOUND, "kubernetes:shop/*", **{host: ["10.0.0.7"]}).admit(
        LoadPlan(f"http://{host}:8080/")
    )
    assert admitted.networks == ("10.0.0.7/32",)


@pytest.mark.parametrize("host", ["cart.shop.svc.evil.example", "cart.shop.svc.local", "shop.example"])
async def test_no_other_name_for_a_listed_service_is_looked_up(host: str) -> None:
    names = Names(**{host: ["10.0.0.7"]})
    gatekeeper = TargetGatekeeper(("kubernetes:shop/*",), demo_url, names, lambda _: False, Finder(FOUND))
    with pytest.raises(TargetRefused, match="is not in SCALE_ALLOWED_TARGETS"):
        await gatekeeper.admit(LoadPlan(f"http://{host}:8080/", service="shop/cart"))
    assert names.asked == []


async def test_a_service_that_leads_to_this_server_is_refused() -> None:
    def at(*behind: tuple[str, int]) -> TargetGatekeeper:
        found = replace(FOUND, behind=behind)
        names = Names(**{"10.0.0.7": ["10.0.0.7"]})
        return TargetGatekeeper(
            ("kubernetes:shop/*",), demo_url, names, "10.9.9.9".__eq__, Finder(found), own_ports=lambda: (8000,)
        )

    plan, _ = at_address("10.0.0.7")
    with pytest.raises(TargetRefused, match=r"a pod behind it, 10\.9\.9\.9 port 8000, is Scale itself"):
        await at(("10.1.1.1", 8000), ("10.9.9.9", 8000)).admit(plan)
    assert (await at(("10.1.1.1", 8000), ("10.9.9.9", 8001)).admit(plan)).service == CART


async def test_a_services_own_name_is_watched_without_being_asked_for() -> None:
    names = {"cart.shop.svc": ["10.0.0.7"]}
    admitted = await cluster_gate(FOUND, "*.shop.svc", **names).admit(LoadPlan("http://cart.shop.svc:8080/"))
    assert admitted.service == CART


async def test_a_url_of_another_form_is_no_service() -> None:
    finder = Finder(FOUND)
    gate = TargetGatekeeper(("api",), demo_url, Names(api=["10.0.0.1"]), lambda _: False, finder)
    assert (await gate.admit(LoadPlan("http://api/"))).service is None
    assert finder.asked == []


class Leads:
    """A cluster in which one address leads to a Service."""

    def __init__(self, address: str, service: ServiceRef = CART) -> None:
        self.address, self.service = address, service
        self.asked: list[tuple[str, list[str], str]] = []

    async def __call__(self, url: str, addresses: Sequence[str], host: str, recent_s: float) -> ServiceRef | None:
        self.asked.append((url, list(addresses), host))
        return self.service if self.address in addresses else None


def leading_gate(answer: ServiceFound | ScaleError, leads: Leads, *allowed: str) -> TargetGatekeeper:
    names = Names(**{"10.0.0.7": ["10.0.0.7"], "api": ["10.0.0.7", "10.0.0.8"], "far": ["10.0.0.9"]})
    return TargetGatekeeper(allowed, demo_url, names, lambda _: False, Finder(answer), leads)


@pytest.mark.parametrize(("host", "service"), [("10.0.0.7", CART), ("api", CART), ("far", None)])
async def test_the_service_to_which_an_address_leads_is_watched(host: str, service: ServiceRef | None) -> None:
    admitted = await leading_gate(FOUND, Leads("10.0.0.7"), "10.0.0.0/8", "api", "far").admit(
        LoadPlan(f"http://{host}:8080/")
    )
    assert admitted.service == service


async def test_the_host_that_requests_name_is_asked_for_and_a_named_service_is_not() -> None:
    leads = Leads("10.0.0.7")
    gate = leading_gate(FOUND, leads, "api", "shop.example")
    await gate.admit(LoadPlan("http://API:8080/", headers={"host": "shop.example:80"}))
    await gate.admit(LoadPlan("http://api:8080/x"))
    addresses = ["10.0.0.7", "10.0.0.8"]
    assert leads.asked == [
        ("http://API:8080/", addresses, {"host": "shop.example:80"}),
        ("http://api:8080/x", addresses, {}),
    ]
    await gate.admit(LoadPlan("http://api:8080/", service="shop/cart"))
    assert len(leads.asked) == 2


async def test_a_service_found_by_its_address_opens_only_what_the_operator_lists() -> None:
    plan = LoadPlan("http://10.0.0.7:8080/")
    assert (await leading_gate(FOUND, Leads("10.0.0.7"), "kubernetes:shop/*").admit(plan)).networks == ("10.0.0.7/32",)
    with pytest.raises(TargetRefused):
        await leading_gate(FOUND, Leads("10.0.0.7"), "kubernetes:other/*").admit(plan)


async def test_a_service_found_by_its_address_without_a_ready_pod_is_not_loaded() -> None:
    idle = ServiceFound(CART, problem="No pod is ready.", idle=True)
    with pytest.raises(TargetUnavailable, match=r"No pod is ready\. No load was sent\."):
        await leading_gate(idle, Leads("10.0.0.7"), "10.0.0.7").admit(LoadPlan("http://10.0.0.7:8080/"))
    headless = ServiceFound(CART, problem="Service shop/cart is headless.")
    admitted = await leading_gate(headless, Leads("10.0.0.7"), "10.0.0.7").admit(LoadPlan("http://10.0.0.7:8080/"))
    assert admitted.service is None


async def test_a_service_that_cannot_be_loaded_is_refused_with_its_reason() -> None:
    found = ServiceFound(CART, problem="Service shop/cart is headless.")
    plan, names = at_address("10.0.0.7")
    with pytest.raises(TargetUnavailable, match=r"^Service shop/cart is headless\. No load was sent\.$"):
        await cluster_gate(found, "10.0.0.7", **names).admit(plan)
    idle = ServiceFound(CART, problem="No pod is ready.", idle=True)
    with pytest.raises(TargetUnavailable, match="No pod is ready"):
        await cluster_gate(idle, "*.shop.svc").admit(LoadPlan("http://cart.shop.svc:8080/"))


@pytest.mark.parametrize(
    ("answer", "watched"),
    [
        (ServiceFound(CART, problem="Service shop/cart has no selector."), False),
        (ServiceFound(CART, problem="Service shop/cart is headless.", headless=True), True),
        (TargetUnavailable("There is no such Service."), False),
        (TargetRefused("That namespace is not looked at."), False),
        (ClusterUnavailable("The cluster is away."), True),
    ],
)
async def test_a_listed_host_is_loaded_whatever_the_cluster_says_of_it(
    answer: ServiceFound | ScaleError, watched: bool
) -> None:
    names = {"cart.shop.svc": ["10.0.0.7"]}
    admitted = await cluster_gate(answer, "*.shop.svc", **names).admit(LoadPlan("http://cart.shop.svc:8080/"))
    assert admitted.networks == ("10.0.0.7/32",)
    assert (admitted.service == CART) is watched


@pytest.mark.parametrize(("port", "refused"), [(80, True), (8080, False), (9100, False)])
async def test_the_port_of_a_headless_service_is_refused_where_its_pods_have_another(port: int, refused: bool) -> None:
    found = ServiceFound(CART, ports=(80,), headless=True, behind=(("10.0.0.7", 8080), ("10.0.0.8", 8080)))
    gate = cluster_gate(found, "*.shop.svc", **{"cart.shop.svc": ["10.0.0.7"]})
    asked = gate.admit(LoadPlan(f"http://cart.shop.svc:{port}/"))
    if refused:
        with pytest.raises(TargetUnavailable, match=r"pods' own port, 8080, .* with port 8080\. No load"):
            await asked
    else:
        assert (await asked).service == CART


async def test_a_named_service_needs_a_cluster_that_answers() -> None:
    plan, names = at_address("10.0.0.7")
    with pytest.raises(ClusterUnavailable, match="away"):
        await cluster_gate(ClusterUnavailable("The cluster is away."), "10.0.0.7", **names).admit(plan)
    with pytest.raises(TargetUnavailable, match="Set SCALE_KUBE_CONFIG"):
        await gate("10.0.0.7", names=Names(**names)).admit(plan)


async def test_a_service_that_drops_what_comes_from_here_is_refused_before_the_load() -> None:
    found = ServiceFound(CART, ("10.0.0.7",), (8080,), dropped={("10.0.0.7", 8080): "No pod is on this node."})
    plan, names = at_address("10.0.0.7")
    with pytest.raises(TargetUnavailable, match=r"^No pod is on this node\. No load was sent\.$"):
        await cluster_gate(found, "10.0.0.7", **names).admit(plan)


@pytest.mark.parametrize("addresses", [["10.0.0.8"], ["10.0.0.7", "10.0.0.8"]])
async def test_a_service_that_is_reached_by_an_address_that_does_not_drop_is_loaded(addresses: list[str]) -> None:
    found = ServiceFound(CART, ("10.0.0.7",), (8080,), dropped={("10.0.0.7", 8080): "No pod is on this node."})
    gate = cluster_gate(found, "edge", edge=addresses)
    admitted = await gate.admit(LoadPlan("http://edge:8080/", service="shop/cart"))
    assert admitted.service == CART


class Answers:
    """Who answers under a URL. scales: those under which Scale does; asked: (url, addresses, host)."""

    def __init__(self, *scales: str) -> None:
        self.scales = scales
        self.asked: list[tuple[str, tuple[str, ...], str]] = []

    async def __call__(self, url: str, addresses: Sequence[str], host: str) -> bool:
        self.asked.append((url, tuple(addresses), host))
        return url in self.scales


def gate_in_a_domain(answers: Answers) -> TargetGatekeeper:
    names = Names(
        **{"scale.shop.svc": ["10.0.0.1", "10.0.0.2"], "cart.shop.svc": ["10.0.0.3"], "api.test": ["10.0.0.4"]}
    )
    listed = ("*.svc", "api.test")
    return TargetGatekeeper(
        listed, demo_url, resolve=names, is_own=lambda _: False, own_domains=("*.svc",), is_scale=answers
    )


async def test_this_server_is_no_target_by_a_name_that_only_its_own_domain_tells_of() -> None:
    answers = Answers("http://scale.shop.svc/")
    with pytest.raises(TargetRefused, match="after one request without load: Scale itself answers there"):
        await gate_in_a_domain(answers).admit(LoadPlan("http://scale.shop.svc/"))
    assert answers.asked == [("http://scale.shop.svc/", ("10.0.0.1", "10.0.0.2"), "")]


async def test_another_service_in_the_servers_own_domain_is_a_target_like_any_other() -> None:
    answers = Answers()
    assert (await gate_in_a_domain(answers).admit(LoadPlan("http://cart.shop.svc/"))).networks == ("10.0.0.3/32",)
    assert len(answers.asked) == 1


async def test_nobody_is_asked_elsewhere_nor_while_a_target_is_typed_nor_before_it_is_allowed() -> None:
    answers = Answers("http://scale.shop.svc/", "http://api.test/")
    gate = gate_in_a_domain(answers)
    assert (await gate.admit(LoadPlan("http://api.test/"))).networks
    assert (await gate.admit(LoadPlan("http://scale.shop.svc/"), recent_s=10.0)).networks
    with pytest.raises(TargetRefused, match="not in SCALE_ALLOWED_TARGETS"):
        await gate.admit(LoadPlan("http://elsewhere.test/"))
    assert answers.asked == []


async def test_a_host_header_in_the_servers_own_domain_is_asked_too() -> None:
    answers = Answers("http://api.test/")
    with pytest.raises(TargetRefused, match="Scale itself answers there"):
        await gate_in_a_domain(answers).admit(LoadPlan("http://api.test/", headers={"Host": "scale.shop.svc"}))
    assert answers.asked == [("http://api.test/", ("10.0.0.4",), "scale.shop.svc")]
