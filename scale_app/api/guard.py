"""What every request passes first, the page's own socket included: origin, name, and errors that nobody expected.

A browser sends a page's scripts' requests with an Origin that the page cannot forge. CORS does not cover WebSockets,
and a foreign page may POST without asking, so both are checked here: the Origin must be the host that was asked, or
one that the operator listed. A program that is no browser sends no Origin and passes. A foreign page may ask, as any
link does, but no answer permits it to read; Reflex's own permission is switched off in rxconfig.py. X-Forwarded-Host
is not believed: whoever can set it can claim to be any host; a proxy has to pass Host on, or its origin has to be
listed.

A foreign page may let its own name resolve to this server's address later ("DNS rebinding"); its scripts then talk to
this server as if it were theirs, and Origin and Host agree. Only the name gives it away. So this server answers by the
names in SCALE_ALLOWED_HOSTS and those of loopback alone, which no foreign page can have.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scale_app.api.page_policy import page_policy, policy_for
from scale_app.api.problems import PROBES, SAFE_METHODS, AnswerUnexpected, refuse
from scale_app.api.socket import TAKEN, Inbound
from scale_app.api.strangers import NoteRefusal, not_noted
from scale_app.api.token_in_url import TOKEN_IN_URL, has_token_in_url
from scale_app.domain.addresses import is_address, is_loopback_name
from scale_app.domain.target import LOAD_HEADER, LOOP_STATUS
from scale_app.settings import Settings

ANSWERED_BY_ANY_ADDRESS = "/metrics"
"""Prometheus finds pods by their addresses. No name was looked up, so nobody can have changed what it leads to."""
ANOTHER_PAGE = "writing from another page", "its origin is neither this server nor in SCALE_ALLOWED_ORIGINS"
ANOTHER_NAME = "asking by another name", "it is not in SCALE_ALLOWED_HOSTS"
WITH_TOKEN = "sending a token in a URL", "others can read it there"
LINE_BREAK = "The request's path has a line break in it, and nothing here is called so."
HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")
LOOP = "This request is a load test's, and its target is Scale itself, which is never one. Test the demo, or a service."
DEFAULT_PORTS = {"http": 80, "https": 443}
HASHED_ASSET = re.compile(r"/assets/(?!.*\.\.).*-[A-Za-z0-9_-]{8}\.[a-z0-9]{2,5}")
SAFETY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
CORS = b"access-control-"
LONGEST_TOLD = 200


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings, note: NoteRefusal = not_noted) -> None:
        self._app, self._note = AnswerUnexpected(app), note
        self._allowed_origins = frozenset(settings.allowed_origins)
        self._allowed_hosts = settings.allowed_hosts
        self._page_policy = page_policy()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        objection = self._origin_objection(scope)
        if scope["type"] == "http":
            send = _with_headers(scope, send, self._page_policy, foreign=bool(objection))
        if refusal := self._refusal(scope):
            return await refuse(scope, send, *refusal)
        writes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        if writes and objection:
            self._note(scope, *ANOTHER_PAGE, ", ".join(_header(scope, b"origin"))[:LONGEST_TOLD])
            return await refuse(scope, send, 403, objection)
        if scope["type"] == "websocket":
            with TAKEN.counted(scope.get("client")) as took:
                inbound = Inbound(scope, receive, send, took)
                return await self._app(scope, inbound.receive, inbound.send)
        return await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and sentence for what nobody may ask; None for what may be looked at further."""
        hosts = _header(scope, b"host")
        if objection := host_objection(scope["path"], hosts, self._allowed_hosts):
            self._note(scope, *ANOTHER_NAME, ", ".join(hosts)[:LONGEST_TOLD])
            return 421, objection
        if _header(scope, LOAD_HEADER.lower().encode()):
            return LOOP_STATUS, LOOP
        if "\n" in scope["path"]:  # where the patterns of routes end, so that none of them would be found
            return 400, LINE_BREAK
        if has_token_in_url(scope):
            self._note(scope, *WITH_TOKEN)
            return 400, TOKEN_IN_URL
        return None

    def _origin_objection(self, scope: Scope) -> str:
        """Why the request's Origin is not accepted, "" when it is."""
        origins, hosts = _header(scope, b"origin"), _header(scope, b"host")
        if not origins:
            return ""
        if len(origins) == len(hosts) == 1:
            origin = origins[0].lower()
            if origin in self._allowed_origins or _same_host(origin, hosts[0].lower()):
                return ""
        return (
            f"A request from the page {', '.join(origins)[:200]} to {', '.join(hosts)[:200] or 'no host'} was refused: "
            "only this server's own pages may write. To let another one, list it in SCALE_ALLOWED_ORIGINS; "
            "behind a proxy, let the proxy pass the Host header on."
        )


def _header(scope: Scope, name: bytes) -> list[str]:
    headers: Iterable[tuple[bytes, bytes]] = scope["headers"]
    return [value.decode("latin-1").strip() for key, value in headers if key.lower() == name]


def _same_host(origin: str, host: str) -> bool:
    """True when an origin such as https://scale.example is the host that was asked, default ports left out or not."""
    try:
        parts = urlsplit(origin)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path or parts.query or parts.username:
            return False
        asked = urlsplit(f"//{host}")
        port = DEFAULT_PORTS[parts.scheme]
        return (parts.hostname, parts.port or port) == (asked.hostname, asked.port or port)
    except ValueError:  # not a URL, or a port that is none
        return False


def _with_headers(scope: Scope, send: Send, policy_of_pages: str, foreign: bool) -> Send:
    """A `send` that adds how long an answer may be kept, and what browsers may not do with it.

    foreign: asked by a page that is not ours; its browser is not told that it may let the page read the answer.
    """

    async def adding(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = [(name.lower(), value) for name, value in message.get("headers", [])]
            headers = MutableHeaders(raw=[pair for pair in named if not (foreign and pair[0].startswith(CORS))])
            kind = headers.get("content-type", "")
            # An answer that says so itself has the last word.
            headers.setdefault("cache-control", _keeping(scope["path"], message["status"]))
            if policy := policy_for(kind, policy_of_pages):
                headers.setdefault("content-security-policy", policy)
            message = {**message, "headers": [*headers.raw, *SAFETY_HEADERS]}
        await send(message)

    return adding


def _keeping(path: str, status: int) -> str:
    """Cache-Control: for ever for a name with a hash in it; all else is asked for again, or a browser would guess for
    how long, and show a new page with the style of the one before."""
    if status in (200, 206, 304) and HASHED_ASSET.fullmatch(path):
        return "public, max-age=31536000, immutable"
    return "no-cache"


def host_objection(path: str, hosts: list[str], allowed: Collection[str]) -> str:
    """Why a request is not answered, "" when it is. hosts: its Host headers. allowed: names and "*.domains"."""
    if path in PROBES:  # Kubernetes asks them by the pod's address
        return ""
    name = _name(hosts[0]) if len(hosts) == 1 else ""
    by_address = path == ANSWERED_BY_ANY_ADDRESS and is_address(name)
    if name and (by_address or is_loopback_name(name) or any(_fits(name, entry) for entry in allowed)):
        return ""
    return (
        f"This server was addressed as {', '.join(hosts)[:200] or 'no host'}, which is not in SCALE_ALLOWED_HOSTS. "
        "Use one of its names or localhost, or let the operator add this name."
    )


def _name(host: str) -> str:
    """The name or address in a Host header, "" for what is no host: a part of a URL may follow only in a forged one."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".") if HOST.fullmatch(host) else ""
    except ValueError:  # no address between the brackets
        return ""


def _fits(name: str, entry: str) -> bool:
    return name.endswith(entry[1:]) if entry.startswith("*.") else name == entry
