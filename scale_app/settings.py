"""SCALE_* environment to one frozen Settings. A bad value stops the start with key, value and what is accepted."""

from __future__ import annotations

import ipaddress
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from scale_app.domain.addresses import is_loopback_name
from scale_app.domain.cluster import ADMITTED_PREFIX, LABEL, check_admitted_entry
from scale_app.domain.errors import SettingsError
from scale_app.domain.plan import Limits
from scale_app.domain.record import Retention

T = TypeVar("T")
PASSWORD = re.compile(r"://\S*@")
"""In a URL, with the user's name: an error is read by others than who may know it."""
TARGETS_ACCEPTED = "hosts, *.domains, addresses, CIDR ranges, or Services as in kubernetes:shop/cart, kubernetes:shop/*"
HOSTS_ACCEPTED = "names such as scale.example or *.example, without ports"
DATABASES_ACCEPTED = "sqlite+aiosqlite:///... or postgresql+asyncpg://..."
COUNT_ACCEPTED = "a whole number above 0"
MOST_REMOTE_WORKERS = 256
LEAST_SECRET = 32
DEFAULT_DATABASE_URL = "sqlite+aiosqlite:///scale.db"


@dataclass(frozen=True, slots=True)
class WorkerListener:
    """How a run's load generator and remote workers (`scale worker`) connect.

    listen (SCALE_WORKER_LISTEN): "host:port" where runs wait for remote workers; none for no such runs.
    secret (SCALE_WORKER_SECRET, or the contents of the file that SCALE_WORKER_SECRET_FILE names): the shared
        secret of server and workers, at least 32 characters. Anybody who knows it can join as a worker and see what a
        plan sends.
    """

    listen: str = ""
    secret: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, with their defaults.

    host, port (SCALE_HOST, SCALE_PORT): where page, API and WebSocket listen; by default on loopback only.
    database_url (SCALE_DATABASE_URL): an SQLAlchemy async URL: sqlite+aiosqlite:///... or postgresql+asyncpg://...
    redis_url (SCALE_REDIS_URL, or in the file SCALE_REDIS_URL_FILE): the Redis that several servers on one database
        share, redis://:password@host:6379/0, or rediss://; none for one server alone. Each shows and controls all runs.
    allowed_targets (SCALE_ALLOWED_TARGETS): the allowed targets besides the demo, separated by commas: hosts
        ("api.shop.svc"), domains with all subdomains ("*.shop.svc"), addresses, CIDR ranges, and Services of a
        configured cluster ("kubernetes:shop/cart", "kubernetes:shop/*"). A range lists no names, and no range or domain
        lists this machine ("localhost", "127.0.0.1", its own address). Metadata addresses and this server's own ports
        are always refused.
    allowed_origins (SCALE_ALLOWED_ORIGINS): origins ("https://scale.example"), separated by commas, whose pages may
        write although their host name differs; the server's own pages always may.
    allowed_hosts (SCALE_ALLOWED_HOSTS): names ("scale.example", "*.example"), separated by commas and without ports,
        under which this server answers besides localhost, against DNS rebinding. By none of them it is a target.
        `scale serve` wants them where SCALE_HOST is not loopback.
    max_connections, max_connections_per_client (SCALE_MAX_CONNECTIONS, SCALE_MAX_CONNECTIONS_PER_CLIENT): the most
        connections at the same time, in all and from one address; of IPv6, from one network of 64 bits. A proxy is one
        client, however many people use it.
    probe_port (SCALE_PROBE_PORT): where /healthz and /readyz are answered besides SCALE_PORT, also while that has all
        the connections it may; 0 for nowhere.
    limits (SCALE_MAX_USERS, SCALE_MAX_SPAWN_RATE, SCALE_MAX_DURATION_S, SCALE_MAX_ARRIVALS_PER_S,
        SCALE_MAX_PROCESSES): limits of one run. Remote workers need SCALE_WORKER_LISTEN as well.
    notify_urls (SCALE_NOTIFY_URLS): where alerts are sent besides the page, as Apprise URLs ("slack://...",
        "json://host/path", "mailto://..."), separated by commas or spaces. They hold secrets and are never shown.
    public_url (SCALE_PUBLIC_URL): the address of this installation, for links in alerts; none for no links.
    kube_config (SCALE_KUBE_CONFIG): a kubeconfig file, or "in-cluster" for the pod's account; none for no cluster.
    kube_contexts (SCALE_KUBE_CONTEXTS): contexts of that file, separated by commas; none for its current one.
    kube_namespaces (SCALE_KUBE_NAMESPACES): the namespaces to read, separated by commas, "*" for all; none for the
        context's own, or the pod's.
    kube_node (SCALE_KUBE_NODE): the node on which this server runs; none when unknown.
    debug_image (SCALE_DEBUG_IMAGE): the container image, with sleep and cat, that plans may add to pods (enter_pods).
    locustfiles (SCALE_LOCUSTFILES): a folder whose *.py files plans may name as locustfiles; none for no locustfiles.
        They are programs: whoever may write there may do whatever this server may.
    max_runs (SCALE_MAX_RUNS): the most runs that may send load at the same time.
    drain_s (SCALE_DRAIN_S): the seconds that runs may go on after SIGTERM, where other servers go on; 0 for none.
    retention (SCALE_HISTORY_DAYS, SCALE_HISTORY_RUNS, SCALE_HISTORY_MB): limits of the history: days since a run ended,
        number of runs, megabytes of all of it; 0 for no limit. The oldest runs beyond a limit are deleted. Baselines
        and active runs stay.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = DEFAULT_DATABASE_URL
    redis_url: str = field(default="", repr=False)
    allowed_targets: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    max_connections: int = 2_000
    max_connections_per_client: int = 1_000
    probe_port: int = 0
    limits: Limits = Limits()
    max_runs: int = 8
    drain_s: float = 0.0
    notify_urls: tuple[str, ...] = field(default=(), repr=False)
    public_url: str = ""
    locustfiles: str = ""
    kube_config: str = ""
    kube_contexts: tuple[str, ...] = ()
    kube_namespaces: tuple[str, ...] = ()
    kube_node: str = ""
    debug_image: str = "busybox:1.37"
    retention: Retention = Retention()


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment. Raises SettingsError for the first value that is not accepted."""
    own, read = Settings(), partial(read_setting, environment)
    return Settings(
        host=read("SCALE_HOST", own.host, _host, "an address or a host name to listen on"),
        port=read("SCALE_PORT", own.port, _port, "a whole number from 1 to 65535"),
        database_url=read("SCALE_DATABASE_URL", own.database_url, _database, DATABASES_ACCEPTED),
        redis_url=_redis_url(read_secret(environment, "SCALE_REDIS_URL")),
        allowed_targets=read("SCALE_ALLOWED_TARGETS", (), read_targets, TARGETS_ACCEPTED),
        allowed_hosts=read("SCALE_ALLOWED_HOSTS", (), _hosts, HOSTS_ACCEPTED),
        allowed_origins=read("SCALE_ALLOWED_ORIGINS", (), _origins, "origins such as https://scale.example"),
        max_connections=read("SCALE_MAX_CONNECTIONS", own.max_connections, _count, COUNT_ACCEPTED),
        max_connections_per_client=read(
            "SCALE_MAX_CONNECTIONS_PER_CLIENT", own.max_connections_per_client, _count, COUNT_ACCEPTED
        ),
        probe_port=read("SCALE_PROBE_PORT", 0, _port_or_none, "a whole number from 1 to 65535, or 0 for none"),
        limits=_load_limits(environment),
        max_runs=read("SCALE_MAX_RUNS", own.max_runs, _count, COUNT_ACCEPTED),
        drain_s=read("SCALE_DRAIN_S", own.drain_s, not_negative, "seconds, or 0 for none"),
        notify_urls=_notify_urls(environment.get("SCALE_NOTIFY_URLS", "")),
        kube_config=read("SCALE_KUBE_CONFIG", "", _kube_config, "in-cluster, or the path of a kubeconfig file"),
        kube_contexts=read("SCALE_KUBE_CONTEXTS", (), _items, "contexts of the kubeconfig"),
        kube_namespaces=read("SCALE_KUBE_NAMESPACES", (), _namespaces, "namespaces, or * for all"),
        kube_node=read("SCALE_KUBE_NODE", "", _host, "a node's name"),
        debug_image=read("SCALE_DEBUG_IMAGE", own.debug_image, _image, "an image such as busybox:1.37"),
        locustfiles=read("SCALE_LOCUSTFILES", "", _folder, "a folder that exists"),
        public_url=read("SCALE_PUBLIC_URL", "", _public_url, "a URL such as https://scale.example"),
        retention=_load_retention(environment),
    )


def require_hosts(settings: Settings) -> None:
    """Raise SettingsError where other machines reach this server, but nobody said by which names."""
    if not settings.allowed_hosts and not is_loopback_name(settings.host):
        raise SettingsError(
            f"SCALE_HOST = {settings.host!r} lets other machines in, and SCALE_ALLOWED_HOSTS is not set: set it to the "
            "names by which people and programs reach this server, such as scale.example,scale.shop.svc, or set "
            "SCALE_HOST to 127.0.0.1."
        )


def _load_retention(environment: Mapping[str, str]) -> Retention:
    own, read = Retention(), partial(read_setting, environment)
    return Retention(
        days=read("SCALE_HISTORY_DAYS", own.days, not_negative, "days, or 0 for no limit"),
        runs=read("SCALE_HISTORY_RUNS", own.runs, _whole, "a whole number of runs, or 0 for no limit"),
        size_mb=read("SCALE_HISTORY_MB", own.size_mb, not_negative, "megabytes, or 0 for no limit"),
    )


def _load_limits(environment: Mapping[str, str]) -> Limits:
    """Without a listener for them, no worker of another machine can join."""
    own, read = Limits(), partial(read_setting, environment)
    return Limits(
        users=read("SCALE_MAX_USERS", own.users, _count, COUNT_ACCEPTED),
        spawn_rate=read("SCALE_MAX_SPAWN_RATE", own.spawn_rate, _positive, "a number above 0"),
        duration_s=read("SCALE_MAX_DURATION_S", own.duration_s, _positive, "seconds above 0"),
        arrivals_per_s=read("SCALE_MAX_ARRIVALS_PER_S", own.arrivals_per_s, _positive, "a number above 0"),
        processes=read("SCALE_MAX_PROCESSES", own.processes, _count, COUNT_ACCEPTED),
        remote_workers=MOST_REMOTE_WORKERS if load_worker_listener(environment).listen else 0,
    )


def read_setting(environment: Mapping[str, str], name: str, default: T, parse: Callable[[str], T], accepted: str) -> T:
    """One value; the default where it is not set or empty. accepted: what would have been. Raises SettingsError."""
    text = environment.get(name, "").strip()
    if not text:
        return default
    try:
        return parse(text)
    except ValueError:
        raise SettingsError(f"{name} = {PASSWORD.sub('://***@', text)!r} is not accepted: {accepted}.") from None


def load_worker_listener(environment: Mapping[str, str] = os.environ) -> WorkerListener:
    """From the environment. Raises SettingsError."""
    listen, secret = environment.get("SCALE_WORKER_LISTEN", "").strip(), read_secret(environment, "SCALE_WORKER_SECRET")
    if listen and not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[^\s:/@]+):[0-9]{1,5}", listen):
        raise SettingsError(f"SCALE_WORKER_LISTEN = {listen!r} is not accepted: host:port such as 0.0.0.0:5557.")
    if (listen or secret) and len(secret) < LEAST_SECRET:
        raise SettingsError(
            f"SCALE_WORKER_SECRET is not accepted: a secret of at least {LEAST_SECRET} characters is needed, here or "
            "in the file that SCALE_WORKER_SECRET_FILE names, the same on every machine (the value is not shown)."
        )
    return WorkerListener(listen, secret)


def read_secret(environment: Mapping[str, str], name: str) -> str:
    """A secret, or the contents of the file that `<name>_FILE` names; "" for none. Raises SettingsError."""
    path = environment.get(f"{name}_FILE", "").strip()
    if not path:
        return environment.get(name, "").strip()
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE = {path!r} is not accepted: it cannot be read ({error}).") from None


def _that(kind: Callable[[str], T], holds: Callable[[T], object]) -> Callable[[str], T]:
    """Reads a value of this kind for which this holds. Raises ValueError for another."""

    def read(text: str) -> T:
        if not holds(value := kind(text)):
            raise ValueError(text)
        return value

    return read


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _items_that(holds: Callable[[str], object]) -> Callable[[str], tuple[str, ...]]:
    """Reads items with commas between, for each of which this holds. Raises ValueError for another."""
    return lambda text: tuple(map(_that(str, holds), _items(text)))


_port = _that(int, lambda port: 1 <= port <= 65_535)
_port_or_none = _that(int, lambda port: 0 <= port <= 65_535)
_count = _that(int, lambda number: number >= 1)
_positive = _that(float, lambda number: math.isfinite(number) and number > 0)
_folder = _that(str, lambda text: Path(text).is_dir())
_host = _that(str, re.compile(r"[^ /@]*").fullmatch)
_image = _that(str, re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,300}").fullmatch)
_database = _that(str, lambda text: text.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")))
_web_url = _that(str, re.compile(r"https?://[^\s?#@]+").fullmatch)
_namespaces = _items_that(lambda item: item == "*" or LABEL.fullmatch(item))
_some_hosts = _items_that(re.compile(r"(\*\.)?(?!\.*$)[A-Za-z0-9._-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*").fullmatch)
_some_origins = _items_that(re.compile(r"https?://[^/]+").fullmatch)


def _hosts(text: str) -> tuple[str, ...]:
    return _some_hosts(text.lower())


def _origins(text: str) -> tuple[str, ...]:
    return tuple(item.lower() for item in _some_origins(text))


def _public_url(text: str) -> str:
    return _web_url(text).rstrip("/")


def read_targets(text: str) -> tuple[str, ...]:
    """What a list of targets names. Raises ValueError for an entry that is none."""
    for item in _items(text):
        if item.startswith(ADMITTED_PREFIX):
            check_admitted_entry(item)
        elif "/" in item:
            ipaddress.ip_network(item)
        elif "*" in item.removeprefix("*.") or any(c in item for c in " @"):
            raise ValueError(item)
    return tuple(item if item.startswith(ADMITTED_PREFIX) else item.lower() for item in _items(text))


def _kube_config(text: str) -> str:
    if "\0" in text:
        raise ValueError(text)
    return text if text == "in-cluster" else os.path.expanduser(text)


def _notify_urls(text: str) -> tuple[str, ...]:
    """Separated where white space or a comma is followed by a scheme, since a URL may hold commas itself."""
    urls = tuple(part for part in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9]*://)", text.strip(" \t\r\n,")) if part)
    for number, url in enumerate(urls, 1):
        if not re.match(r"[A-Za-z][A-Za-z0-9]*://\S", url) or re.search(r"\s", url):
            # The value stays out: a token with a typing error in front of it is still a token.
            raise SettingsError(
                f"SCALE_NOTIFY_URLS: URL {number} is not accepted: give Apprise URLs such as json://host/path, "
                "separated by commas or spaces (the value is not shown because it may hold a secret)."
            )
    return urls


def _redis_url(text: str) -> str:
    if text and not re.fullmatch(r"rediss?://[^\s/]+(/\S*)?", text):
        raise SettingsError("SCALE_REDIS_URL is not accepted: redis://:password@host:6379/0, or rediss:// with TLS.")
    return text


def _whole(text: str) -> int:
    return 0 if text == "0" else _count(text)


def not_negative(text: str) -> float:
    return 0.0 if text == "0" else _positive(text)
