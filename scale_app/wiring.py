"""The one place where ports meet adapters. One process, one hub; and the history by itself, for what needs no hub:
commands that only look, copy or restore.

Adapters are loaded by what needs them: the hub's take 0.2 s, the clusters' and Apprise half a second and 20 MB.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from scale_app.adapters.store import SqlAccessStore, SqlRunStore, is_current
from scale_app.adapters.store.backup import back_up, restore
from scale_app.adapters.this_machine import (
    SystemClock,
    announce,
    listening_ports,
    missing_file,
    server_beside,
    single_instance,
)
from scale_app.domain.admission import doors_of
from scale_app.domain.record import INTERRUPTED
from scale_app.domain.snapshot import Source
from scale_app.identity_settings import IdentitySettings, load_identity
from scale_app.ports import Adapters, Clock, Notifier, RequestCounter, RunStore
from scale_app.replicas import in_use, let_go_of_redis, redis_warnings, run_bus, run_leases
from scale_app.secret_settings import load_secrets, own_names
from scale_app.settings import Settings, load_settings, load_worker_listener

if TYPE_CHECKING:
    from scale_app.adapters.demo_cluster import DemoCluster
    from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
    from scale_app.adapters.kubernetes.client import Clusters
    from scale_app.adapters.kubernetes.directory import KubernetesPods
    from scale_app.service.access import Access
    from scale_app.service.audit_trail import AuditTrail
    from scale_app.service.browser_sessions import BrowserSessions
    from scale_app.service.hub import Hub
    from scale_app.service.sign_in import SignInFlow
    from scale_app.service.ways_in import WaysIn

__all__ = ["announce", "back_up", "is_current", "missing_file", "redis_warnings", "server_beside"]
"""What is passed on as it is, beside what is made here."""
LAST_ENTRIES_S = 1.0
"""For the rest of the audit log, at the end of the process."""
COMMANDS_ENTRIES_S = 10.0
"""The same of a command, whose entries stand nowhere else, and which may wait for a server that writes."""


@cache
def settings() -> Settings:
    """This process's settings. Raises SettingsError."""
    return load_settings()


@cache
def identity() -> IdentitySettings:
    """Who may do what in this process. Raises SettingsError."""
    return load_identity()


@cache
def access() -> Access:
    """This process's tokens; the hub keeps them."""
    from scale_app.service.access import Access

    return Access(_access_store(), SystemClock(), audit().note, identity().audit_days)


@cache
def hub() -> Hub:
    """This process's hub for whoever calls: it asks for their rights. `lifespan` opens and closes it."""
    from scale_app.service.permits import permitted

    return permitted(_hub(), audit(), SystemClock())


@cache
def audit() -> AuditTrail:
    """Where it is noted who did what."""
    from scale_app.service.audit_trail import AuditTrail

    return AuditTrail(_access_store(), partial(print, flush=True), SystemClock())


@cache
def ways_in() -> WaysIn:
    """How callers of this process's server are known."""
    from scale_app.service.proxy_headers import ProxyHeaders
    from scale_app.service.ways_in import WaysIn

    own = identity()
    everybody = own.open_to_all(settings().host)
    return WaysIn(ProxyHeaders(own.proxy), own, access().check_token, sessions().of_cookies, everybody)


@cache
def _store() -> SqlRunStore:
    return SqlRunStore(settings().database_url, SystemClock())


@cache
def _access_store() -> SqlAccessStore:
    """Of tokens, sign-ins and the audit log; whoever opened them closes it."""
    return SqlAccessStore(settings().database_url)


@cache
def sessions() -> BrowserSessions:
    """Of browsers that signed in here."""
    from scale_app.service.browser_sessions import BrowserSessions

    secure = settings().public_url.startswith("https://")
    return BrowserSessions(_access_store(), SystemClock(), identity().roles, secure)


@cache
def sign_in() -> SignInFlow | None:
    """How people sign in with a browser; None where no identity provider is configured."""
    provider = identity().oidc
    if not provider.issuer:
        return None
    from scale_app.adapters.oidc import OpenIdProvider
    from scale_app.service.sign_in import CALLBACK, SignInFlow

    clock = SystemClock()
    back = f"{settings().public_url}{CALLBACK}"
    return SignInFlow(OpenIdProvider(provider, back, clock), sessions(), clock, audit())


@cache
def _hub() -> Hub:
    """The same without asking."""
    from scale_app.adapters.gatekeeper import TargetGatekeeper, bound_elsewhere
    from scale_app.adapters.locust_process import LocustProcess
    from scale_app.adapters.simulated import SimulatedGenerator, SimulatedPods
    from scale_app.service.hub import Hub

    own, clock, demo = settings(), SystemClock(), _demo()
    workers = LocustProcess(clock)
    catalog, cluster_pods, counters = _of_clusters(clock)
    adapters = Adapters(
        gatekeeper=TargetGatekeeper(
            own.allowed_targets,
            demo.url,
            find_service=catalog.find if catalog else None,
            leads_to=catalog.leads_to if catalog else None,
            secrets=bound_elsewhere(load_secrets(installation=own_names(own)), own_names(own)),
            own_names=own_names(own),
            own_ports=_own_ports,
            doors=doors_of(own.public_url, own.allowed_hosts, own.port),
            own_domains=[name for name in own.allowed_hosts if "*" in name],
            is_scale=_is_scale,
        ),
        generators={Source.DEMO: workers, Source.HEADER: workers, Source.SIMULATED: SimulatedGenerator(clock)},
        directories={Source.DEMO: demo, Source.SIMULATED: SimulatedPods(clock)},
        store=_store(),
        demo=demo,
        clock=clock,
        leases=run_leases(clock),
        notifiers=_notifiers(),
        catalog=catalog,
        counters=counters,
        cluster_pods=cluster_pods,
        bus=run_bus(),
    )
    return Hub(adapters, access(), own.limits, own.max_runs, own.public_url, retention=own.retention)


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    """Database migrated, hub open; at the end every load, the demo and the database are let go."""
    async with in_use(settings().database_url):
        await _hub().open()
        try:
            async with audit().kept(LAST_ENTRIES_S):
                try:
                    yield
                finally:
                    await _hub().close()
        finally:
            await _let_go()


async def drained() -> None:
    """Return when the runs of this process have ended; it begins no more."""
    await _hub().drain()


@asynccontextmanager
async def unopened() -> AsyncIterator[Hub]:
    """The hub for whoever only looks, beside a server as well: nothing is made, migrated, taken over or interrupted."""
    looked_at = hub()
    try:
        yield looked_at
    finally:
        await _store().close()
        await _let_go()


async def _let_go() -> None:
    await _access_store().close()
    await _demo().close()
    if clusters := _clusters():
        await clusters.close()
    await let_go_of_redis()


@asynccontextmanager
async def opened_access() -> AsyncIterator[Access]:
    """Tokens and audit log without the hub, for whoever calls: also while a server uses the same database.

    Raises StoreUnavailable.
    """
    from scale_app.service.permits import permitted

    url = settings().database_url
    if not await is_current(url):
        async with in_use(url):
            pass
    try:
        yield permitted(access(), audit(), SystemClock())
    finally:
        await audit().finish(COMMANDS_ENTRIES_S)
        await _access_store().close()


@asynccontextmanager
async def history(database_url: str) -> AsyncIterator[RunStore]:
    """The store of runs. What an earlier process left running was interrupted. Raises StoreUnavailable."""
    async with in_use(database_url):
        store = SqlRunStore(database_url, SystemClock())
        try:
            if not settings().redis_url:  # the servers that share the database look after that
                await store.mark_interrupted(INTERRUPTED)
            yield store
        finally:
            await store.close()


async def restored(database_url: str, file: Path, replace: bool) -> str:
    """Let the database, which nobody else uses, hold what the backup holds; what that is, for people.

    Raises BackupRefused, StoreUnavailable.
    """
    with single_instance(database_url):
        return await restore(database_url, file, replace)


def _own_ports() -> frozenset[int]:
    """Those on which this process listens, or another Scale with these settings."""
    workers = load_worker_listener().listen.rpartition(":")[2]
    return listening_ports() | {settings().port} | ({int(workers)} if workers else set())


async def _is_scale(url: str, addresses: Sequence[str], host: str) -> bool:
    from scale_app.adapters.own_answer import answers_as_scale  # late: few plans need it

    return await answers_as_scale(url, addresses, host)


@cache
def _demo() -> DemoCluster:
    from scale_app.adapters.demo_cluster import DemoCluster

    return DemoCluster(SystemClock())


def _notifiers() -> tuple[Notifier, ...]:
    if not settings().notify_urls:
        return ()
    from scale_app.adapters.notify import notifiers

    return notifiers(settings().notify_urls)


@cache
def _clusters() -> Clusters | None:
    """The configured clusters; None without any."""
    here = settings()
    if not here.kube_config:
        return None
    from scale_app.adapters.kubernetes.client import Clusters

    return Clusters(here.kube_config, here.kube_contexts, here.kube_namespaces)


def _of_clusters(
    clock: Clock,
) -> tuple[KubernetesCatalog | None, KubernetesPods | None, Mapping[Source, RequestCounter]]:
    if (clusters := _clusters()) is None:
        return None, None, {}
    from scale_app.adapters.kubernetes.catalog import KubernetesCatalog
    from scale_app.adapters.kubernetes.counters import counters_of_cluster
    from scale_app.adapters.kubernetes.directory import KubernetesPods

    own = settings()
    catalog, pods = KubernetesCatalog(clusters, own.kube_node), KubernetesPods(clusters.of, clock, own.kube_node)
    return catalog, pods, counters_of_cluster(clusters.of, clock, own.debug_image)
