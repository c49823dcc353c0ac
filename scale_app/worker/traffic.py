"""What the virtual users of one run share, made from the owner's first line, and Locust's users around them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from gevent.event import Event
from gevent.pool import Group
from locust import User, task
from locust.exception import StopUser

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.secret import resolved
from scale_app.domain.target import IDEMPOTENT_METHODS
from scale_app.settings import WorkerListener
from scale_app.worker.answer import AnswerCache, AnswerReader, JsonAnswerReader
from scale_app.worker.connection import Network
from scale_app.worker.connector import NAME_KEPT_S, Resolver, tls_context
from scale_app.worker.counters import Counters
from scale_app.worker.destination import Destination, RequestSpec, destination
from scale_app.worker.redaction import redacted
from scale_app.worker.schedule import ClosedModel, OpenModel, Timers
from scale_app.worker.virtual_user import DeadlineSweep, Schedule, UserBehaviour, VirtualUser


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, and the only networks (CIDR) to connect to. one_port: and to the URL's port alone."""

    url: str
    networks: tuple[str, ...]
    one_port: bool = False


@dataclass(frozen=True, slots=True)
class Assignment:
    """The owner's first line: one run to do. secrets: {name: value} of what may be sent to the target.

    workers: where those of other machines are met, None without any; told to nobody else.
    """

    plan: LoadPlan
    target: Target
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    workers: WorkerListener | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all users share. draining: greenlets of stopped users whose last request is still in flight.

    timeout_s: the deadline of each request, connecting and sending again included.
    """

    behaviour: UserBehaviour
    network: Network
    schedule: Schedule
    timeout_s: float
    users: set[VirtualUser] = field(default_factory=set)
    draining: Group = field(default_factory=Group)

    def watch_deadlines(self) -> None:
        """From now on requests end at their deadline, late by at most a tenth of a second."""
        sweep = DeadlineSweep(self.users, self.timeout_s)
        self.network.loop.timer(sweep.every_s, sweep.every_s).start(sweep.sweep)


class ParkedUser(User):
    """`user_class` makes a concrete one."""

    abstract = True
    traffic: Traffic

    def __init__(self, environment: object) -> None:
        super().__init__(environment)
        over = self._over = Event()
        self._user = VirtualUser(self.traffic.behaviour, self.traffic.network, self.traffic.schedule, over.set)

    @task
    def send_load(self) -> None:
        traffic, user = self.traffic, self._user
        traffic.users.add(user)
        try:
            traffic.schedule.begin(user)
            self._over.wait()
        finally:
            traffic.users.discard(user)
            user.close()
        raise StopUser

    def stop(self, force: bool = False) -> bool:
        """Start no new request. A request in flight goes on outside of Locust's group, so that Locust does not wait.

        Locust would otherwise block a ramp-down, and count users that are leaving as if they were still there.
        """
        if self._user.stop():
            return bool(super().stop(force=True))
        self.group.discard(self.greenlet)
        self.traffic.draining.add(self.greenlet)
        return True


def user_class(shared: Traffic) -> type[ParkedUser]:
    """The class for Locust to make users of; Locust gives them nothing but their environment."""

    class PlannedUser(ParkedUser):
        abstract = False
        traffic = shared

    return PlannedUser


def schedule_of(plan: LoadPlan, loop: Any) -> ClosedModel | OpenModel:
    """When the plan's users send."""
    timers = Timers(loop)
    if plan.arrivals_per_s is None:
        return ClosedModel(timers, plan.think_time_s)
    return OpenModel(timers, plan.arrivals, plan.pattern)


def traffic_of(assignment: Assignment, schedule: Schedule, loop: Any) -> Traffic:
    """What the users share. Raises ValueError for a target, PlanError for a plan or a secret, that cannot be used."""
    plan, secrets, counters = assignment.plan, assignment.secrets, Counters(redacted)
    headers = {name: resolved("headers", value, secrets) for name, value in plan.headers.items()}
    asked = RequestSpec(plan.method, headers, resolved("body", plan.body, secrets))
    where = destination(assignment.target.url, assignment.target.networks, asked, assignment.target.one_port)
    network = Network(
        loop=loop,
        resolver=Resolver(where, NAME_KEPT_S[plan.dns]),
        tls=_tls(plan, where),
        host=where.host,
        cache=AnswerCache(counters, _reader_of(plan)),
        counters=counters,
        with_endpoints=plan.wish.joins_connections,
    )
    repeatable = plan.method in IDEMPOTENT_METHODS
    behaviour = UserBehaviour(where.request, where.last_request, plan.requests_per_connection, repeatable)
    return Traffic(behaviour, network, schedule, plan.timeout_s)


def _reader_of(plan: LoadPlan) -> Callable[[], AnswerReader]:
    if plan.json_field and plan.counting != "header":
        return partial(JsonAnswerReader, plan.json_field.split("."))
    return partial(AnswerReader, plan.pod_header, plan.method == "HEAD")


def _tls(plan: LoadPlan, where: Destination) -> ssl.SSLContext | None:
    if not where.tls:
        return None
    try:
        return tls_context(plan.verify_tls, plan.ca_pem)
    except (ssl.SSLError, ValueError) as error:
        raise PlanError("ca_pem", "(not shown)", f"OpenSSL cannot read it as certificates in PEM ({error})") from None
