"""The owner's first line, and what all users of the run share because of it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.request import IDEMPOTENT_METHODS, resolved
from scale_app.domain.source import Source
from scale_app.worker.alarms import Alarms
from scale_app.worker.answer import AnswerBook, AnswerReader
from scale_app.worker.arrivals import OpenPace
from scale_app.worker.connection import Network
from scale_app.worker.destination import Asked, Destination, destination
from scale_app.worker.json_field import JsonAnswerReader
from scale_app.worker.pace import ClosedPace
from scale_app.worker.resolver import NAME_KEPT_S, Resolver
from scale_app.worker.slot import Habits
from scale_app.worker.tally import Tally
from scale_app.worker.tls import tls_context
from scale_app.worker.users import Traffic, UsersPace


@dataclass(frozen=True, slots=True)
class Target:
    """Where to send requests, and the only networks (CIDR) to connect to."""

    url: str
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Job:
    """One run."""

    plan: LoadPlan
    target: Target


def pace_of(plan: LoadPlan, loop: Any) -> ClosedPace | OpenPace:
    """When the plan's users send."""
    alarms = Alarms(loop)
    if plan.arrivals_per_s is None:
        return ClosedPace(alarms, plan.think_time_s)
    return OpenPace(alarms, plan.arrivals, plan.pattern)


def traffic_of(job: Job, pace: UsersPace, loop: Any) -> Traffic:
    """What the job's users share. Raises ValueError for a target, PlanError for a plan, that cannot be used."""
    plan, tally = job.plan, Tally()
    where = destination(job.target.url, job.target.networks, asked_of(plan, os.environ))
    network = Network(
        loop=loop,
        resolver=Resolver(where, NAME_KEPT_S[plan.dns]),
        tls=_tls(plan, where),
        host=where.host,
        book=AnswerBook(tally, _reader_of(plan)),
        tally=tally,
        with_endpoints=plan.wish.allows(Source.CONNECTION_MAP),
    )
    repeatable = plan.method in IDEMPOTENT_METHODS
    habits = Habits(where.request, where.last_request, plan.requests_per_connection, repeatable)
    return Traffic(habits, network, pace, plan.timeout_s)


def asked_of(plan: LoadPlan, variables: Mapping[str, str]) -> Asked:
    """The plan's request, its secrets put in. Raises PlanError for one that is not known here."""
    headers = {name: resolved(value, variables) for name, value in plan.headers.items()}
    return Asked(plan.method, headers, resolved(plan.body, variables))


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
