"""A pod's page at the pod's own address: no right is needed, only a network that leads there."""

from __future__ import annotations

from scale_app.adapters.kubernetes.border import NotThere, border
from scale_app.adapters.kubernetes.client import MOST_BYTES
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.domain.errors import ClusterUnavailable

CONNECT_LIMIT_S = 2.0


async def page_at(pod: CountedPod, port: int, path: str, limit_s: float) -> bytes:
    """The body, at most MOST_BYTES of it. Redirects are not followed: they could lead anywhere.

    Raises NotThere, ClusterUnavailable.
    """
    from aiohttp import ClientSession, ClientTimeout

    host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
    url = f"http://{host}:{port}{path}"
    timeout = ClientTimeout(total=limit_s, sock_connect=CONNECT_LIMIT_S)
    with border(host, url, limit_s):
        async with (
            ClientSession(timeout=timeout) as session,
            session.get(url, allow_redirects=False, headers={"Accept": "text/plain"}) as response,
        ):
            if response.status == 404:
                raise NotThere(f"The pod {pod.name} has nothing at {url} (404).")
            if response.status != 200:
                raise ClusterUnavailable(f"The pod {pod.name} answered {url} with status {response.status}.")
            read = bytearray()
            async for chunk in response.content.iter_any():
                read += chunk
                if len(read) > MOST_BYTES:
                    break
            return bytes(read)
