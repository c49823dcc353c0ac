"""The wires: one bridge joins the nodes; no route leads out of the machine, or even to it.

Runs inside the cluster's own network and mount namespaces, so all of this ends with them. The client's namespace is
attached by the plugin that attaches pods, so to every other pod it is one: its address arrives unchanged.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.cluster.layout import (
    CLIENT,
    CLIENT_NODE,
    CONTROL_PLANE_IP,
    NODES,
    SERVICE_RANGE,
    Layout,
    node_ip,
    node_number,
    pod_range,
)

PLUGINS = "/usr/lib/cni"


def make_network(layout: Layout) -> None:
    """Namespaces of nodes and client, joined and routed."""
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "link", "add", "nodes", "type", "bridge")
    _run("ip", "addr", "add", f"{CONTROL_PLANE_IP}/24", "dev", "nodes")
    _run("ip", "link", "set", "nodes", "up")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    for node in NODES:
        _node(node)
    for node in NODES:
        _routes_to_pods(node)
    # What stands outside the nodes reaches services through one of them.
    _run("ip", "route", "add", SERVICE_RANGE, "via", node_ip(CLIENT_NODE))
    _client(layout)


def in_network(namespace: str) -> list[str]:
    """What to put before a command so that it runs in that network. Not `ip netns exec`: it hides control groups."""
    return ["nsenter", f"--net=/run/netns/{namespace}", "--"]


def plugin_configuration(layout: Layout, node: str) -> dict[str, object]:
    """How a pod of that node gets its address: an end of a cable, routed by the node, so that the node's rules see all
    its traffic, also what goes to a neighbour on the same node."""
    return {
        "cniVersion": "0.4.0",
        "name": "pods",
        "type": "ptp",
        "ipMasq": False,
        "ipam": {
            "type": "host-local",
            "dataDir": str(layout.of_node(node) / "addresses"),
            "ranges": [[{"subnet": pod_range(node)}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }


def _node(node: str) -> None:
    outer = f"to-{node}"
    _run("ip", "netns", "add", node)
    _run("ip", "link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", node)
    _run("ip", "link", "set", outer, "master", "nodes", "up")
    for command in (
        ("link", "set", "lo", "up"),
        ("addr", "add", f"{node_ip(node)}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        # Never used as such: the node's own rules rewrite a service's address before it would be sent out.
        ("route", "add", SERVICE_RANGE, "dev", "eth0", "src", node_ip(node)),
    ):
        _run("ip", "-n", node, *command)
    _run(*in_network(node), "sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward")
    _run("ip", "route", "add", pod_range(node), "via", node_ip(node))


def _routes_to_pods(node: str) -> None:
    for other in NODES:
        if other != node:
            _run("ip", "-n", node, "route", "add", pod_range(other), "via", node_ip(other))


def _client(layout: Layout) -> None:
    _run("ip", "netns", "add", CLIENT)
    _run("ip", "-n", CLIENT, "link", "set", "lo", "up")
    layout.of_node(CLIENT_NODE).mkdir(exist_ok=True)
    call = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": f"{layout.name}-{CLIENT}-{node_number(CLIENT_NODE)}",
        "CNI_NETNS": f"/run/netns/{CLIENT}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": PLUGINS,
    }
    _run(
        *in_network(CLIENT_NODE),
        f"{PLUGINS}/ptp",
        given=json.dumps(plugin_configuration(layout, CLIENT_NODE)),
        environment=call,
    )


def _run(*command: str, given: str = "", environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
