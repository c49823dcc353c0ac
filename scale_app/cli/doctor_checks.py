"""What `scale doctor` looks at: each check looks at one thing and is told as a row."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import httpx2
import websockets

from scale_app.cli.build import CONFIG_FILE, page_is_current
from scale_app.cli.server import EVERYBODY, free_address, shown_url
from scale_app.cli.server_token import TOKEN_FROM, bearer_header
from scale_app.domain.cluster import NO_CLUSTER, PermissionList, SourcePermission
from scale_app.domain.errors import ScaleError
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import MEGABYTE, Retention
from scale_app.domain.secret import BINDING_SUFFIX, Secret
from scale_app.domain.source import NEEDS, Source
from scale_app.domain.unanswered import WANTS_SIGN_IN, advice_on, advice_on_answer
from scale_app.domain.verdict_sentence import REDIRECTED
from scale_app.identity_settings import IdentitySettings, on_loopback
from scale_app.ports import Admitted
from scale_app.settings import Settings, require_hosts

PATIENCE_S = 10.0
PORT_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FILES_PER_USER = 2
FILES_BESIDE = 200
NEEDED = {need.source for need in NEEDS if need.needed}
Status = Literal["ok", "problem", "note"]


@dataclass(frozen=True, slots=True)
class Row:
    """status: "note" is for what is not wrong but worth knowing. remedy: what to do, "" for nothing."""

    name: str
    status: Status
    found: str
    remedy: str = ""


def page_row() -> Row:
    """Is the page built from the sources that are here?"""
    if not CONFIG_FILE.is_file():
        return Row("page", "note", f"{Path.cwd()} is not the project's folder, so the page cannot be checked.")
    if page_is_current():
        return Row("page", "ok", "The page matches its sources.")
    return Row("page", "problem", "The page is not built, or was built from other sources.", "Run `scale build`.")


async def port_row(settings: Settings) -> Row:
    """Can this machine listen where the settings say, or does Scale listen there already?"""
    url = shown_url(settings)
    try:
        require_hosts(settings)
    except ScaleError as error:
        return Row("port", "problem", str(error))
    try:
        free_address(settings)
    except ScaleError as error:
        is_scale = (await answer_row(url, "/healthz", "server")).status == "ok"
        return Row("port", "ok", f"Scale listens on {url}.") if is_scale else Row("port", "problem", str(error))
    return Row("port", "ok", f"{url} is free for `scale serve`.")


def callers_row(identity: IdentitySettings, host: str) -> Row:
    """Who may come in?"""
    if objection := identity.objection(host):
        return Row("sign-in", "problem", "`scale serve` does not start.", objection)
    if not identity.open_to_all(host):
        return Row("sign-in", "ok", "Everybody signs in.")
    if on_loopback(host):
        return Row("sign-in", "ok", "Nobody signs in; only this machine reaches the server.")
    remedy = "Let only people whom you trust reach it, or let them sign in: docs/reference/settings.md."
    return Row("sign-in", "note", EVERYBODY, remedy)


async def redis_rows(warnings: Callable[[], Awaitable[list[str]]]) -> list[Row]:
    """Does what several servers share answer, and does it keep what it is given?"""
    try:
        found = await warnings()
    except ScaleError as error:
        return [Row("redis", "problem", str(error))]
    return [Row("redis", "note", sentence) for sentence in found] or [Row("redis", "ok", "Redis answers.")]


def local_ports_row(settings: Settings) -> Row:
    """Are there ports and open files for as many users as a run may have?"""
    low, high = map(int, PORT_RANGE.read_text().split()) if PORT_RANGE.is_file() else (32_768, 60_999)
    ports, files = high - low + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    needed = FILES_PER_USER * settings.limits.users + FILES_BESIDE
    found = f"{ports:,} local ports and {files:,} open files for up to {settings.limits.users:,} users."
    if ports < settings.limits.users:
        return Row("local ports", "problem", found, "Widen net.ipv4.ip_local_port_range, or lower SCALE_MAX_USERS.")
    if files != resource.RLIM_INFINITY and files < needed:
        return Row("local ports", "problem", found, f"Raise the limit of open files to {needed:,} (ulimit -Hn).")
    return Row("local ports", "ok", found)


def missing_row(path: Path) -> Row:
    """There is no database yet: can it be made?"""
    if not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
        remedy = "Make the folder and let Scale write to it, or set SCALE_DATABASE_URL."
        return Row("database", "problem", f"{path} cannot be made.", remedy)
    return Row(
        "database", "note", f"There is no database at {path} yet: the first run or start of the server makes it."
    )


def database_row(answer: Row | None, server: str, current: bool) -> Row:
    """answer: what the server beside said of it, None where no server has it. current: it has this version's tables."""
    if answer and answer.status == "problem":
        return answer
    if answer:
        return Row("database", "ok", f"The server at {server} has it, and can read and write it.")
    if not current:
        found = "The database has no tables of this version yet: the next run, or start of Scale, makes them."
        return Row("database", "note", found)
    return Row("database", "ok", "The database can be read and written.")


def history_row(kept: Retention, runs: int, size_bytes: int) -> Row:
    """How large is the history, and how large may it become?"""
    limits = [
        f"{kept.size_mb:,g} MB (SCALE_HISTORY_MB)" if kept.size_mb else "",
        f"{kept.runs:,} runs (SCALE_HISTORY_RUNS)" if kept.runs else "",
        f"{kept.days:,g} days (SCALE_HISTORY_DAYS)" if kept.days else "",
    ]
    allowed = ", ".join(limit for limit in limits if limit)
    found = f"{runs:,} {'run takes' if runs == 1 else 'runs take'} {size_bytes / MEGABYTE:,.1f} MB"
    found += f"; the oldest are deleted beyond {allowed}." if allowed else ", and nothing is ever deleted."
    if kept.too_large(size_bytes):
        return Row("history", "note", found, "Remove baselines, or allow more.")
    return Row("history", "ok", found)


def secret_rows(secrets: Iterable[Secret]) -> list[Row]:
    """Where may each of the operator's secrets go? For whoever sees this machine's environment anyway."""
    return [_secret_row(secret) for secret in secrets]


def _secret_row(secret: Secret) -> Row:
    binding = f"{secret.name}{BINDING_SUFFIX}"
    if not secret.targets:
        return Row(
            "secret",
            "note",
            f"{secret.name} is bound to no target, so no run can send it.",
            f"Name its targets in {binding}.",
        )
    if not secret.value:
        return Row("secret", "note", f"{binding} is set and {secret.name} is not.", "Set both, or neither.")
    return Row("secret", "ok", f"{secret.name} may be sent to {', '.join(secret.targets)}, never to this machine.")


def source_rows(found: PermissionList) -> list[Row]:
    """What may be read in the cluster. Only what cannot be done without is a problem: rights are chosen, and to have no
    cluster is as well."""
    if found.problem:
        return [Row("sources", "note" if found.problem == NO_CLUSTER else "problem", found.problem)]
    return [_source_row(row) for row in found.rows]


def _source_row(row: SourcePermission) -> Row:
    status: Status = "ok" if row.allowed else "note"
    if row.allowed is False and row.source in NEEDED:
        status = "problem"
    return Row(f"source {row.source}", status, row.sentence or row.used_for)


async def target_row(plan: LoadPlan, admit: Callable[[LoadPlan], Awaitable[Admitted]]) -> Row:
    """One request to the target, after the gate has let it pass; does its answer name a pod?"""
    try:
        admitted = await admit(plan)
    except ScaleError as error:
        return Row("target", "problem", str(error))
    if admitted.source is Source.SIMULATED:
        return Row("target", "ok", f"{plan.target_url} needs no network: its counts are invented.")
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE_S, verify=plan.verify_tls) as client:
            answer = await client.get(admitted.url)
    except (httpx2.HTTPError, OSError) as error:
        found = f"{plan.target_url} does not answer ({str(error) or type(error).__name__})."
        remedy = advice_on(str(error)) or "Is the service running, and is this the Service's port?"
        return Row("target", "problem", found, remedy)
    if advice := advice_on_answer(answer.status_code, answer.text):
        found = f"{plan.target_url} answers with status {answer.status_code}: that port speaks TLS, not plain HTTP."
        return Row("target", "problem", found, advice)
    pod = answer.headers.get(plan.pod_header, "")
    if not pod:
        found = f"{plan.target_url} answers with status {answer.status_code} and without {plan.pod_header}."
        remedy = f"Let each pod send its name in {plan.pod_header}: see docs/how-to/name-the-pods.md."
        if answer.has_redirect_location:
            found, remedy = f"{plan.target_url} answers with redirects (status {answer.status_code}).", REDIRECTED
        elif answer.status_code in (401, 403):
            remedy = f"{WANTS_SIGN_IN}."
        return Row("target", "problem", found, remedy)
    return Row("target", "ok", f"{plan.target_url} answers with status {answer.status_code}, from pod {pod[:80]}.")


async def answer_row(url: str, path: str, name: str) -> Row:
    """Does a server answer here as Scale does?"""
    remedy = "Is Scale running, and does the proxy forward this path to it?"
    try:
        async with httpx2.AsyncClient(timeout=PATIENCE_S) as client:
            answer = await client.get(f"{url}{path}")
            said = answer.json() if answer.headers.get("content-type", "").startswith("application/") else None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        return Row(name, "problem", f"{url}{path} does not answer ({str(error) or type(error).__name__}).", remedy)
    if answer.is_success and isinstance(said, dict) and said.get("status") in ("ok", "ready"):
        return Row(name, "ok", f"{url}{path} answers.")
    reason = said.get("error") or said.get("detail") if isinstance(said, dict) else None
    found = str(reason or f"{url}{path} answered with status {answer.status_code}, but not like Scale.")
    return Row(name, "problem", found, remedy)


async def socket_row(url: str, path: str, name: str, speaks_first: bool) -> Row:
    """Does a WebSocket come through? speaks_first: the server says something at once, which has to arrive."""
    parts = urlsplit(url)
    scheme, query = "wss" if parts.scheme == "https" else "ws", "EIO=4&transport=websocket" if speaks_first else ""
    where = urlunsplit((scheme, parts.netloc, f"{parts.path.rstrip('/')}{path}", query, ""))
    try:
        async with websockets.connect(
            where, additional_headers=bearer_header(), open_timeout=PATIENCE_S, close_timeout=1.0, proxy=None
        ) as opened:
            if speaks_first:
                await opened.recv()
    except (OSError, TimeoutError, websockets.WebSocketException, ValueError) as error:
        found = f"A WebSocket to {where} does not open ({str(error) or type(error).__name__})."
        unknown = isinstance(error, websockets.InvalidStatus) and error.response.status_code in (401, 403)
        remedy = "Make the proxy forward the headers Upgrade and Connection: see docs/how-to/behind-a-proxy.md."
        return Row(name, "problem", found, TOKEN_FROM if unknown else remedy)
    return Row(name, "ok", f"A WebSocket to {where} opens.")


def names_row(url: str) -> Row | None:
    """Is the server's name known here? None when it is."""
    host = urlsplit(url).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        found = f"The name {host!r} is not known here ({error.strerror or error})."
        return Row("server", "problem", found, "Check the URL.")
    return None
