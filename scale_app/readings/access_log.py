"""Access logs: whose request a line is, and to which pod a layer-7 proxy sent it; and Envoy's counters of the same.

No pattern of anybody's is run over a line as a regular expression, since a hostile line can make those take for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

LONGEST_LINE = 16_384
METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
STATUS = re.compile(r"[1-5][0-9]{2}(?![0-9])")
VARIABLE = re.compile(r"\$\{?([A-Za-z0-9_]{1,60})\}?")

METHOD_KEYS = ("method", "request_method", "requestmethod", "http.method", "http.request.method", "verb")
PATH_KEYS = (
    "path",
    "uri",
    "request_uri",
    "url",
    "target",
    "request_path",
    "requesturl",
    "http.target",
    "url.path",
    "requestpath",
)
STATUS_KEYS = (
    "status",
    "status_code",
    "statuscode",
    "response_code",
    "code",
    "http.status_code",
    "downstreamstatus",
    "http.response.status_code",
)
AGENT_KEYS = ("user_agent", "http_user_agent", "useragent", "agent", "user-agent", "user_agent.original")
UPSTREAM_KEYS = ("upstream_addr", "upstream_host", "upstream", "upstream_address")
ADDRESS = re.compile(
    r"(?<![0-9.])((?:[0-9]{1,3}\.){3}[0-9]{1,3}):[0-9]{1,5}(?![0-9])|\[([0-9a-fA-F:.]{2,45})\]:[0-9]{1,5}"
)


class Whose(Enum):
    OURS = "ours"
    OTHERS = "others"
    NOBODYS = "no request"


@dataclass(frozen=True, slots=True)
class Entry:
    """One logged request. "" for what the line does not say. upstream: where a proxy sent it, as written."""

    method: str = ""
    target: str = ""
    agent: str = ""
    upstream: str = ""


@dataclass(frozen=True, slots=True)
class Ours:
    """How our own requests look in a log. target: path with its query. agent: the User-Agent header."""

    method: str
    target: str
    agent: str

    def whose(self, entry: Entry | None) -> Whose:
        """What the line does not say is taken for ours: the count is then too high, which shows, and never too low."""
        if entry is None:
            return Whose.NOBODYS
        path = self.target.partition("?")[0]
        ours = (
            entry.method in ("", self.method)
            and entry.target in ("", self.target, path)
            and entry.agent in ("", "-", self.agent)
        )
        return Whose.OURS if ours else Whose.OTHERS


class LogFormat:
    """Reads lines. pattern: a log format in nginx's notation, "" to recognise JSON, common, combined and their kin."""

    def __init__(self, pattern: str = "") -> None:
        self._pattern = _Pattern(pattern) if pattern else None

    def entry(self, line: bytes) -> Entry | None:
        """The request in a line, None when there is none. Raises nothing."""
        text = line[:LONGEST_LINE].decode("utf-8", "replace").strip()
        if self._pattern is not None:
            return self._pattern.entry(text)
        return _json_entry(text) if text.startswith("{") else _common_entry(text)


def _json_entry(text: str) -> Entry | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict):
        return None
    fields = _flat(document)
    method, target = _first(fields, METHOD_KEYS), _first(fields, PATH_KEYS)
    request = fields.get("request", "")
    if not target and request.count(" ") >= 1:
        method, target = request.split(" ")[:2]
    if not target or not STATUS.fullmatch(_first(fields, STATUS_KEYS)):
        return None
    return Entry(method.upper(), _without_host(target), _first(fields, AGENT_KEYS), _first(fields, UPSTREAM_KEYS))


def _flat(document: Mapping[str, Any]) -> dict[str, str]:
    """Keys in lower case, those one level deeper with a dot and also by themselves; values as text."""
    flat: dict[str, str] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                flat[f"{key}.{inner}".lower()] = str(text)
                flat.setdefault(str(inner).lower(), str(text))
        else:
            flat[str(key).lower()] = str(value)
    return flat


def _first(fields: Mapping[str, str], keys: tuple[str, ...]) -> str:
    return next((fields[key] for key in keys if fields.get(key)), "")


def _common_entry(text: str) -> Entry | None:
    """A quoted request line with a status after it, wherever in the line it is."""
    quoted = text.split('"')
    for i in range(1, len(quoted) - 1, 2):
        words = quoted[i].split(" ")
        if len(words) < 2 or words[0] not in METHODS or not STATUS.match(quoted[i + 1].lstrip()):
            continue
        # Combined has the referer and then the agent in quotes; more quotes after them are a format of one's own.
        agent = quoted[i + 4] if len(quoted) > i + 5 else ""
        return Entry(words[0], _without_host(words[1]), agent, text)
    return None


def _without_host(target: str) -> str:
    """Path and query of an absolute URL, which some servers log."""
    if "://" not in target[:9]:
        return target
    rest = target.split("://", 1)[1]
    return "/" + rest.partition("/")[2]


class _Pattern:
    """Literal texts with variables between them. A variable ends where the next literal begins."""

    def __init__(self, pattern: str) -> None:
        self._literals = VARIABLE.split(pattern)[0::2]
        self._names = VARIABLE.split(pattern)[1::2]

    def entry(self, text: str) -> Entry | None:
        values = self._values(text)
        if values is None:
            return None
        method, target = values.get("request_method", ""), values.get("request_uri", "") or values.get("uri", "")
        words = values.get("request", "").split(" ")
        if not target and len(words) >= 2:
            method, target = words[0], words[1]
        if "status" in values and not STATUS.fullmatch(values["status"]):
            return None
        return Entry(method, _without_host(target), values.get("http_user_agent", ""), values.get("upstream_addr", ""))

    def _values(self, text: str) -> dict[str, str] | None:
        if not text.startswith(self._literals[0]):
            return None
        values: dict[str, str] = {}
        at = len(self._literals[0])
        for name, literal in zip(self._names, self._literals[1:], strict=True):
            end = text.find(literal, at) if literal else len(text)
            if end < 0:
                return None
            values[name] = text[at:end]
            at = end + len(literal)
        return values


def upstream_ip(entry: Entry, ips: Collection[str]) -> str:
    """The address of the pod that answered, "" when the line names none of `ips`.

    A proxy that tried several writes them all, the one that answered last.
    """
    return _last_ip(entry.upstream, ips)


def envoy_requests(clusters: str, ips: Collection[str]) -> Mapping[str, int]:
    """{pod address: requests} from the text of Envoy's admin page /clusters: lines `name::address:port::rq_total::n`.

    An address that several of Envoy's clusters lead to counts with all of them.
    """
    requests: dict[str, int] = {}
    for ip, count in _envoy_figures(clusters, ips, "rq_total"):
        requests[ip] = requests.get(ip, 0) + count
    return requests


def envoy_weights(clusters: str, ips: Collection[str]) -> Mapping[str, int]:
    """{pod address: its weight} from the same text: lines `name::address:port::weight::n`; the largest of several."""
    weights: dict[str, int] = {}
    for ip, weight in _envoy_figures(clusters, ips, "weight"):
        weights[ip] = max(weight, weights.get(ip, 0))
    return weights


def _envoy_figures(clusters: str, ips: Collection[str], wanted: str) -> Iterator[tuple[str, int]]:
    for line in clusters.split("\n"):
        head, _, count = line.rpartition("::")
        head, _, what = head.rpartition("::")
        if what != wanted or not count.isascii() or not count.isdigit() or len(count) > 18:
            continue
        ip = _last_ip(head, ips)
        if ip:
            yield ip, int(count)


def _last_ip(text: str, ips: Collection[str]) -> str:
    found = [first or second for first, second in ADDRESS.findall(text)]
    return next((ip for ip in reversed(found) if ip in ips), "")
