"""Runs one command in a container and gives what it wrote: the one way to see what only the pod itself can see."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from scale_app.adapters.kubernetes.border import border, forbidden, of_status, quoted
from scale_app.adapters.kubernetes.client import TOKEN, Cluster
from scale_app.adapters.kubernetes.counters.pods import CountedPod
from scale_app.domain.errors import ClusterUnavailable, CountingFailed

LIMIT_S = 10.0
MOST_BYTES = 32 * 1024 * 1024
STDOUT, STDERR, STATUS = 1, 2, 3
RULES = "get and create pods/exec"
PROTOCOL = "v4.channel.k8s.io"
NO_COMMAND = ("executable file", "no such file or directory", "not found in $PATH")


class NoSuchCommand(CountingFailed):
    """The container has no such program."""


async def output_of(cluster: Cluster, pod: CountedPod, command: tuple[str, ...], container: str = "") -> str:
    """Standard output, at most MOST_BYTES. Raises NoSuchCommand, CountingFailed, ClusterForbidden, ClusterUnavailable.

    container: "" for the one that serves.
    """
    from aiohttp import ClientWSTimeout, WSServerHandshakeError

    path = f"{pod.path}/exec"
    api = await cluster.api()
    named = container or pod.container
    query = [("command", part) for part in command] + [("stdout", "true"), ("stderr", "true")]
    query += [("container", named)] if named else []
    _, url, headers, _, _ = await api.param_serialize(
        "GET", path, query_params=query, header_params={}, auth_settings=[TOKEN]
    )
    host = api.configuration.host
    with border(host, path, LIMIT_S):
        try:
            async with (
                asyncio.timeout(LIMIT_S),
                _pool(api).ws_connect(
                    url, headers=headers, protocols=(PROTOCOL,), timeout=ClientWSTimeout(ws_close=1.0), max_msg_size=0
                ) as socket,
            ):
                return await _read(socket, pod, command)
        except WSServerHandshakeError as refused:
            if refused.status == 403:  # what the cluster says of it is not to be had here
                raise forbidden(host, path, RULES) from refused
            raise of_status(host, "GET", path, refused.status, _said(refused)) from refused


def _pool(api: Any) -> Any:
    """The package makes its pool of connections with its first request."""
    rest = api.rest_client
    if rest.pool_manager is None:
        rest.pool_manager = rest._create_pool_manager()
    return rest.pool_manager


def _said(refused: Any) -> bytes:
    return json.dumps({"message": str(refused.message)}).encode()


async def _read(socket: Any, pod: CountedPod, command: tuple[str, ...]) -> str:
    written = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
    async for message in socket:
        data = message.data if isinstance(message.data, bytes) else str(message.data).encode()
        channel = data[0] if data else 0
        if channel in written:
            written[channel] += data[1:]
        if len(written[STDOUT]) > MOST_BYTES:
            raise CountingFailed(f"{command[0]} in the pod {pod.name} wrote more than {MOST_BYTES // 2**20} MiB.")
    _check(written[STATUS], written[STDOUT], pod, command)
    return written[STDOUT].decode("utf-8", "replace")


def _check(status: bytearray, stdout: bytearray, pod: CountedPod, command: tuple[str, ...]) -> None:
    """A program that failed but wrote is good enough: cat goes on after a file that is not there."""
    try:
        said = json.loads(bytes(status)) if status else {}
    except ValueError:
        said = {}
    if not isinstance(said, dict) or said.get("status") == "Success" or stdout:
        return
    message = quoted(str(said.get("message", "it ended without a word")))
    if any(sign in str(said.get("message")) for sign in NO_COMMAND):
        raise NoSuchCommand(f"The pod {pod.name} has no {command[0]} in its container.")
    if not status:
        raise ClusterUnavailable(f"The connection to {command[0]} in the pod {pod.name} was cut.")
    raise CountingFailed(f"{command[0]} in the pod {pod.name} failed: {message}.")
