"""Does Scale itself answer under a URL? Asked once before a load, by the header that the load has: this server, and any
other of its kind, refuses that with a status of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

import httpx2

from scale_app.domain.cluster import port_of_url
from scale_app.domain.target import LOAD_HEADER, LOOP_STATUS, USER_AGENT

LIMIT_S = 3.0
MOST_ADDRESSES = 3


async def answers_as_scale(url: str, addresses: Sequence[str], host: str = "") -> bool:
    """False also when nothing answers in time: then the load tells.

    One HEAD request, at the first address that takes it. addresses: of the URL's host; no others are connected to.
    host: the plan's own Host header.
    """
    try:
        async with (
            asyncio.timeout(LIMIT_S),
            # Whoever answers is asked for nothing that could be told to somebody else, so any certificate will do.
            httpx2.AsyncClient(verify=False, trust_env=False, timeout=LIMIT_S / MOST_ADDRESSES) as client,
        ):
            for address in addresses[:MOST_ADDRESSES]:
                if (status := await _status(client, url, address, host)) is not None:
                    return status == LOOP_STATUS
    except TimeoutError:
        pass
    return False


async def _status(client: httpx2.AsyncClient, url: str, address: str, host: str) -> int | None:
    """None where nobody answers."""
    parts = urlsplit(url)
    at = f"[{address}]" if ":" in address else address
    there = urlunsplit((parts.scheme, f"{at}:{port_of_url(url)}", parts.path or "/", parts.query, ""))
    headers = {"Host": host or parts.netloc, "User-Agent": USER_AGENT, LOAD_HEADER: "1"}
    try:
        answer = await client.request("HEAD", there, headers=headers, extensions={"sni_hostname": parts.hostname})
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError):
        return None
    return answer.status_code
