"""Process 1 of a node: a mount, host name and process namespace of its own; when it dies, the whole node dies with it.

`python -m tests.cluster.node CLUSTER NODE`, started by the supervisor.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster.layout import DNS_SERVICE_IP, ZONES, Layout, node_ip
from tests.cluster.network import PLUGINS, plugin_configuration

RUNTIME = "/run/containerd/containerd.sock"
PAUSE_IMAGE = "scale.test/pause:1"
# What a node writes outside its own folder ends in memory of its own, not on the machine.
OWN_FOLDERS = ("/run", "/var/lib", "/var/log")
WAIT_LIMIT_S = 120.0


def main() -> None:
    layout, node = Layout.of(sys.argv[1]), sys.argv[2]
    _own_mounts()
    socket.sethostname(node)
    folder = layout.of_node(node)
    for name in ("cni", "addresses", "kubelet", "plugins"):
        (folder / name).mkdir(exist_ok=True)
    containerd = _started(layout, f"{node}-containerd", ["containerd", "--config", _containerd(layout, node)])
    _wait_for(Path(RUNTIME).exists, "containerd's socket")
    for image in sorted(layout.images.glob("*.tar")):
        subprocess.run(["ctr", "-n", "k8s.io", "images", "import", str(image)], check=True, stdout=subprocess.DEVNULL)
    _wait_for((layout.folder / "apiserver.ready").exists, "the API server")
    kubelet = _started(layout, f"{node}-kubelet", _kubelet(layout, node))
    while True:
        ended, status = os.wait()  # also what pods' shims leave behind: this is their process 1
        if ended in (containerd.pid, kubelet.pid):
            name = "containerd" if ended == containerd.pid else "kubelet"
            sys.exit(f"{name} of {node} ended with exit code {os.waitstatus_to_exitcode(status)}")


def _own_mounts() -> None:
    subprocess.run(["mount", "--make-rshared", "/"], check=True)
    for folder in OWN_FOLDERS:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "node", folder], check=True)
    Path("/run/netns").mkdir()


def _started(layout: Layout, name: str, command: list[str]) -> subprocess.Popen[bytes]:
    with (layout.logs / f"{name}.log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _wait_for(there: object, what: str) -> None:
    deadline = time.monotonic() + WAIT_LIMIT_S
    while not there():  # type: ignore[operator]
        if time.monotonic() > deadline:
            sys.exit(f"{what} was not there within {WAIT_LIMIT_S:g} s")
        time.sleep(0.1)


def _containerd(layout: Layout, node: str) -> str:
    folder = layout.of_node(node)
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(_plugins(layout, node)))
    file = folder / "containerd.toml"
    file.write_text(f"""
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "{RUNTIME}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  disable_apparmor = true
  # Where root may not lower a process's score below its own, containers could not start.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{PLUGINS}"
    conf_dir = "{folder}/cni"
""")
    return str(file)


def _plugins(layout: Layout, node: str) -> dict[str, object]:
    configuration = plugin_configuration(layout, node)
    version, name = configuration.pop("cniVersion"), configuration.pop("name")
    return {"cniVersion": version, "name": name, "plugins": [configuration]}


def _kubelet(layout: Layout, node: str) -> list[str]:
    folder, file = layout.of_node(node), layout.of_node(node) / "kubelet.yaml"
    names = folder / "resolv.conf"
    names.write_text("")
    configuration = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(layout.certificates / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(layout.certificates / f"{node}.crt"),
        "tlsPrivateKeyFile": str(layout.certificates / f"{node}.key"),
        "containerRuntimeEndpoint": f"unix://{RUNTIME}",
        "volumePluginDir": str(folder / "plugins"),
        "podLogsDir": str(folder / "pod-logs"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": layout.control_group(node),
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "resolvConf": str(names),
        "clusterDNS": [DNS_SERVICE_IP],
        "clusterDomain": "cluster.local",
        # Images come from files: one that is cleared away cannot be fetched again.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        # Small enough that a run's logs are rotated while they are followed.
        "containerLogMaxSize": "1Mi",
        "containerLogMonitorInterval": "3s",
        "containerLogMaxFiles": 3,
        "nodeStatusUpdateFrequency": "5s",
        "shutdownGracePeriod": "0s",
    }
    file.write_text(json.dumps(configuration))
    return [
        *(layout.binary("kube"), "kubelet", f"--config={file}", "--v=2"),
        f"--root-dir={folder / 'kubelet'}",
        f"--kubeconfig={layout.certificates / f'{node}.conf'}",
        f"--hostname-override={node}",
        f"--node-ip={node_ip(node)}",
        f"--node-labels=topology.kubernetes.io/zone={ZONES[node]}",
    ]


if __name__ == "__main__":
    main()
