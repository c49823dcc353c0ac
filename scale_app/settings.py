"""SCALE_* environment to one frozen Settings. A bad value stops the start with key, value and what is accepted."""

from __future__ import annotations

import ipaddress
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from scale_app.domain.errors import SettingsError
from scale_app.domain.plan import Limits

T = TypeVar("T")
DEFAULT_DATABASE_URL = "sqlite+aiosqlite:///scale.db"


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them, with their defaults.

    host, port (SCALE_HOST, SCALE_PORT): where page, API and WebSocket listen; loopback unless opened on purpose.
    database_url (SCALE_DATABASE_URL): an SQLAlchemy async URL: sqlite+aiosqlite:///... or postgresql+asyncpg://...
    allowed_targets (SCALE_ALLOWED_TARGETS): comma-separated hosts ("api.shop.svc"), domains with all below
        ("*.shop.svc"), addresses and CIDR ranges that load may be sent to, beside the demo and this machine.
    allowed_origins (SCALE_ALLOWED_ORIGINS): comma-separated origins ("https://scale.example") whose pages may write
        although they were served under another host name; the page's own host always may.
    limits (SCALE_MAX_USERS, SCALE_MAX_SPAWN_RATE, SCALE_MAX_DURATION_S): caps of one run.
    max_runs (SCALE_MAX_RUNS): runs that may send load at the same time.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    database_url: str = DEFAULT_DATABASE_URL
    allowed_targets: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    limits: Limits = Limits()
    max_runs: int = 8


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from the environment. Raises SettingsError for the first value that is not accepted."""
    defaults = Settings()

    def read(name: str, default: T, parse: Callable[[str], T], accepted: str) -> T:
        text = environment.get(name, "").strip()
        if not text:
            return default
        try:
            return parse(text)
        except ValueError:
            raise SettingsError(f"{name} = {text!r} is not accepted: {accepted}.") from None

    return Settings(
        host=read("SCALE_HOST", defaults.host, _host, "an address or a host name to listen on"),
        port=read("SCALE_PORT", defaults.port, _port, "a whole number from 1 to 65535"),
        database_url=read(
            "SCALE_DATABASE_URL",
            defaults.database_url,
            _database,
            "sqlite+aiosqlite:///... or postgresql+asyncpg://...",
        ),
        allowed_targets=read("SCALE_ALLOWED_TARGETS", (), _targets, "hosts, *.domains, addresses or CIDR ranges"),
        allowed_origins=read("SCALE_ALLOWED_ORIGINS", (), _origins, "origins such as https://scale.example"),
        limits=Limits(
            users=read("SCALE_MAX_USERS", defaults.limits.users, _count, "a whole number above 0"),
            spawn_rate=read("SCALE_MAX_SPAWN_RATE", defaults.limits.spawn_rate, _positive, "a number above 0"),
            duration_s=read("SCALE_MAX_DURATION_S", defaults.limits.duration_s, _positive, "seconds above 0"),
        ),
        max_runs=read("SCALE_MAX_RUNS", defaults.max_runs, _count, "a whole number above 0"),
    )


def _host(text: str) -> str:
    if any(c in text for c in " /@"):
        raise ValueError(text)
    return text


def _port(text: str) -> int:
    if not 1 <= int(text) <= 65_535:
        raise ValueError(text)
    return int(text)


def _database(text: str) -> str:
    if not text.startswith(("sqlite+aiosqlite:///", "postgresql+asyncpg://")):
        raise ValueError(text)
    return text


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def _targets(text: str) -> tuple[str, ...]:
    for item in _items(text):
        if "/" in item:
            ipaddress.ip_network(item)
        elif "*" in item.removeprefix("*.") or any(c in item for c in " @"):
            raise ValueError(item)
    return tuple(item.lower() for item in _items(text))


def _origins(text: str) -> tuple[str, ...]:
    for item in _items(text):
        scheme, _, rest = item.partition("://")
        if scheme not in ("http", "https") or not rest or "/" in rest:
            raise ValueError(item)
    return tuple(item.lower() for item in _items(text))


def _count(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


def _positive(text: str) -> float:
    value = float(text)
    if not math.isfinite(value) or value <= 0:
        raise ValueError(text)
    return value
