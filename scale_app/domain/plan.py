"""What a person asks for: one load test. A plan that cannot be run cannot be built.

`LoadPlan` is the only place where a plan is checked; every face (page, REST, command line) builds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from scale_app.domain.counting import CountingWish, EnterPods
from scale_app.domain.errors import PlanError
from scale_app.domain.gate import Gate
from scale_app.domain.numerics import is_number
from scale_app.domain.pattern import Pattern
from scale_app.domain.source import AskedSource
from scale_app.domain.target import (
    DEMO_TARGET,
    HEADER_NAME,
    check_authorities,
    check_locustfile,
    check_request,
    check_service,
    check_target,
    is_demo,
    is_simulated,
)
from scale_app.domain.weights import check_weights

MOST_ARRIVALS_PER_S = 100_000.0

AlertRule = Literal["verdict", "score"]
Arrivals = Literal["constant", "poisson"]
Until = Literal["duration", "decided"]
DnsPolicy = Literal["connection", "second", "once"]
DNS_POLICIES: tuple[DnsPolicy, ...] = ("connection", "second", "once")


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of this installation, from the settings. Each is the largest accepted value."""

    users: int = 5_000
    spawn_rate: float = 5_000.0
    duration_s: float = 3_600.0
    arrivals_per_s: float = 20_000.0
    processes: int = 8
    remote_workers: int = 0


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One load test, complete and valid.

    target_url: "demo" (built-in pods), "simulated" or "simulated?pods=200" (invented counts, labelled as such),
        or an http(s) URL.
    users: concurrent users, each with at most one connection.
    spawn_rate: users started per second.
    duration_s: seconds from the first user to the end, spawning included.
    until: when the run ends: after its "duration", or as soon as the verdict is "decided" (even or uneven), at the
        latest after the duration.
    requests_per_connection: requests after which a user opens a new connection; 1 = a new connection per request,
        None = keep-alive for the whole run. A layer-4 balancer picks a pod once per connection.
    warm_up_s: seconds at the beginning whose traffic is sent but not judged; less than the duration.
    think_time_s: seconds that a user waits between an answer and its next request.
    timeout_s: total deadline of one request, connecting included.
    pod_header: response header that names the pod.
    alert_rule: "verdict" alerts on an imbalance that is more than chance, "score" on every score below 0.95.
    max_pod_share, max_p95_ms, max_failure_share: limits of further alerts, None for none: the largest share (0..1) of
        one pod, the highest latency p95, the largest part (0..1) of the requests that may fail.
    pattern: how users, or arrivals in the open model, change over time; the plan's numbers are the maximum.
    arrivals_per_s: requests per second of the open model: requests arrive on schedule, however slow the answers are,
        with at most `users` in flight. Latency counts from the scheduled time, and think_time_s has no effect. None
        for the closed model: each user waits for its answer, then for the think time, before it sends again.
    arrivals: evenly spaced ("constant") or at random moments ("poisson").
    method, headers, body: of every request; the body is sent as UTF-8. Redirects are not followed.
        `${env:SCALE_SECRET_...}` in a header or the body is replaced by that secret, if it is bound to the target.
    verify_tls: refuse certificates that cannot be verified. ca_pem: certificates of the authorities to trust, as PEM
        text; "" for the system's.
    locustfile: a file such as "checkout.py" in the folder that the operator allows. Its users send the load, with
        their own wait times and clients; the plan's request, think time and TLS have no effect, and
        requests_per_connection is None. "" for the load generator's own users.
    dns: when the target's name is resolved: for each "connection" (as real clients do; it loads the name server as
        well), at most once a "second", or "once" for the whole run.
    service: the Kubernetes Service whose pods should share the work, "namespace/name" or "context/namespace/name".
        "" = found from a host such as cart.shop.svc when a cluster is configured.
    weights: how the work should be shared, {name: weight}, if not evenly. A name is that of a pod, or a prefix such as
        a Deployment's, whose pods share its weight: 90 and 10 for a canary. A pod that no name fits has the weight 1.
    processes: number of worker processes on this machine, at most one per user; their counts are added.
    gate: thresholds that a pipeline asks of the run; they do not change the load.
    counting: where the requests per pod come from: "auto" is the best source that works, see docs/counting-sources.md.
    json_field: where an answer's JSON body names its pod, as in "pod.name"; "" for none.
    counter_name: the pods' Prometheus counter of requests, "" to find it by the load.
    log_pattern: the access log's format in nginx's notation, "" for common, combined and JSON.
    proxy_pods: the pods of a layer-7 proxy, "namespace/label=value"; "" for none.
    enter_pods: what may run inside the pods to list their connections: "no", "exec" or "ephemeral".
    remote_workers: number of worker processes of other machines (`scale worker`); the load begins when all have joined.

    Raises PlanError for the first field that cannot be used.
    """

    target_url: str = DEMO_TARGET
    users: int = 100
    spawn_rate: float = 50.0
    duration_s: float = 60.0
    until: Until = "duration"
    requests_per_connection: int | None = 5
    warm_up_s: float = 0.0
    think_time_s: float = 0.05
    timeout_s: float = 10.0
    pod_header: str = "X-Pod-Name"
    alert_rule: AlertRule = "verdict"
    max_pod_share: float | None = None
    max_p95_ms: float | None = None
    max_failure_share: float | None = None
    pattern: Pattern = Pattern()
    arrivals_per_s: float | None = None
    arrivals: Arrivals = "constant"
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    verify_tls: bool = True
    ca_pem: str = ""
    dns: DnsPolicy = "second"
    locustfile: str = ""
    service: str = ""
    processes: int = 1
    gate: Gate = Gate()
    counting: AskedSource = "auto"
    json_field: str = ""
    counter_name: str = ""
    log_pattern: str = ""
    proxy_pods: str = ""
    enter_pods: EnterPods = "no"
    remote_workers: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_target(self.target_url)
        self._check_load()
        self._check_alerts()
        check_request(self.method, self.headers, self.body)
        check_authorities(self.ca_pem)
        check_locustfile(self.locustfile, self.requests_per_connection, self.arrivals_per_s)
        if self.dns not in DNS_POLICIES:
            raise PlanError("dns", self.dns, f"one of {', '.join(DNS_POLICIES)}")
        check_service(self.service, self.target_url)
        check_weights(self.weights)
        self._check_processes()
        self._check_counting()

    def _check_load(self) -> None:
        _whole("users", self.users, 1)
        _number("spawn_rate", self.spawn_rate, 0.1)
        _number("duration_s", self.duration_s, 1.0)
        if self.until not in ("duration", "decided"):
            raise PlanError("until", self.until, "either duration or decided")
        if self.requests_per_connection is not None:
            _whole("requests_per_connection", self.requests_per_connection, 1)
        _number("warm_up_s", self.warm_up_s, 0.0)
        if self.warm_up_s >= self.duration_s:
            raise PlanError("warm_up_s", self.warm_up_s, f"less than the duration of {self.duration_s:,.10g} s")
        _number("think_time_s", self.think_time_s, 0.0)
        _number("timeout_s", self.timeout_s, 0.1)
        _check_arrivals(self.arrivals_per_s, self.arrivals)
        self.pattern.check_within(self.duration_s)

    def _check_alerts(self) -> None:
        if self.alert_rule not in ("verdict", "score"):
            raise PlanError("alert_rule", self.alert_rule, "either verdict or score")
        _share("max_pod_share", self.max_pod_share)
        _share("max_failure_share", self.max_failure_share)
        if self.max_p95_ms is not None:
            _number("max_p95_ms", self.max_p95_ms, 0.001)

    def _check_processes(self) -> None:
        _whole("processes", self.processes, 1)
        _whole("remote_workers", self.remote_workers, 0)
        if self.processes + self.remote_workers > self.users:
            field = "remote_workers" if self.remote_workers else "processes"
            raise PlanError(field, getattr(self, field), f"at most one process for each of the {self.users:,} users")
        if self.remote_workers and is_demo(self.target_url):
            raise PlanError("remote_workers", self.remote_workers, "other machines cannot reach the built-in target")

    def _check_counting(self) -> None:
        if not isinstance(self.pod_header, str) or not HEADER_NAME.fullmatch(self.pod_header):
            raise PlanError("pod_header", self.pod_header, "a response header's name such as X-Pod-Name")
        if self.counted_beside and (is_demo(self.target_url) or is_simulated(self.target_url)):
            raise PlanError("counting", self.counting, f"auto for the target {self.target_url}, which names its pods")

    @property
    def wish(self) -> CountingWish:
        """How the requests per pod are to be counted. Raises PlanError."""
        return CountingWish(
            self.counting, self.json_field, self.counter_name, self.log_pattern, self.proxy_pods, self.enter_pods
        )

    @property
    def counted_beside(self) -> bool:
        """True when a source is asked for that is not the answers' header. Raises PlanError."""
        return self.wish.source not in ("auto", "header")

    def check_limits(self, limits: Limits) -> None:
        """Raise PlanError when the plan asks for more than this installation allows."""
        for name in ("users", "spawn_rate", "duration_s", "arrivals_per_s", "processes", "remote_workers"):
            value, cap = getattr(self, name), getattr(limits, name)
            if value is not None and value > cap:
                raise PlanError(name, value, f"at most {cap:,.10g} here; the operator sets this limit")

    def edited(self, edit: PlanEdit) -> LoadPlan:
        """The plan with the edit applied. Raises PlanError when the result cannot be run."""
        return replace(
            self,
            users=self.users if edit.users is None else edit.users,
            spawn_rate=self.spawn_rate if edit.spawn_rate is None else edit.spawn_rate,
            arrivals_per_s=self._edited_arrivals(edit.arrivals_per_s),
        )

    def _edited_arrivals(self, arrivals_per_s: float | None) -> float | None:
        if arrivals_per_s is None:
            return self.arrivals_per_s
        if self.arrivals_per_s is None:
            raise PlanError("arrivals_per_s", arrivals_per_s, "this run began without arrivals; start another one")
        return arrivals_per_s


@dataclass(frozen=True, slots=True)
class PlanEdit:
    """What may change during a run; None keeps a figure."""

    users: int | None = None
    spawn_rate: float | None = None
    arrivals_per_s: float | None = None


def _check_arrivals(arrivals_per_s: float | None, arrivals: object) -> None:
    if arrivals_per_s is not None:
        _number("arrivals_per_s", arrivals_per_s, 0.1)
        if arrivals_per_s > MOST_ARRIVALS_PER_S:
            raise PlanError("arrivals_per_s", arrivals_per_s, f"at most {MOST_ARRIVALS_PER_S:,.0f}")
    if arrivals not in ("constant", "poisson"):
        raise PlanError("arrivals", arrivals, "either constant or poisson")


def _whole(field: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise PlanError(field, value, f"a whole number of at least {least}")


def _share(field: str, value: float | None) -> None:
    if value is None:
        return
    _number(field, value, 0.0)
    if value > 1:
        raise PlanError(field, value, "a part of all requests, from 0 to 1 (100 %)")


def _number(field: str, value: object, least: float) -> None:
    if not is_number(value) or value < least:
        raise PlanError(field, value, f"a number of at least {least:.10g}")
