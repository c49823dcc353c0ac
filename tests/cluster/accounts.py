"""Service accounts with exactly the rules they are given, kubeconfigs to act as them, and Scale acting as one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scale_app.domain.source import NEEDS
from tests.cluster.handle import Cluster
from tests.cluster.product import Product, serving
from tests.cluster.targets import Thing

RBAC = "rbac.authorization.k8s.io"
Rule = tuple[str, str, str]
"""Verb, resource ("pods/log"), API group."""


def account(cluster: Cluster, namespace: str, name: str, rules: Iterable[Rule], *, everywhere: bool = False) -> None:
    """A service account that may do just this, in its namespace or everywhere."""
    kind = "ClusterRole" if everywhere else "Role"
    who = f"{namespace}-{name}" if everywhere else name
    granted = [{"verbs": [verb], "resources": [resource], "apiGroups": [group]} for verb, resource, group in rules]
    things: list[Thing] = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": {"name": who}, "rules": granted},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{kind}Binding",
            "metadata": {"name": who},
            "roleRef": {"apiGroup": RBAC, "kind": kind, "name": who},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    ]
    cluster.apply(things, namespace)


def kubeconfig_of(cluster: Cluster, namespace: str, name: str, folder: Path) -> Path:
    """A kubeconfig with a token of the account, good for an hour."""
    token = cluster.kubectl("create", "token", name, "-n", namespace).strip()
    config = json.loads(cluster.kubeconfig.read_text())
    config["users"] = [{"name": name, "user": {"token": token}}]
    config["contexts"][0]["context"] = {"cluster": "test", "user": name, "namespace": namespace}
    path = folder / f"{namespace}-{name}.conf"
    path.write_text(json.dumps(config))
    return path


@contextmanager
def scale_with(cluster: Cluster, namespace: str, folder: Path, *sources: str) -> Iterator[Product]:
    """`scale serve` as an account that has the rights of these rows everywhere, beside the needed ones, and no others.

    namespace: where the account is. folder: an empty one.
    """
    name = "-".join(("scale", *sources)).replace("_", "-")
    rules = [rule for need in NEEDS if need.needed or need.source in sources for rule in need.rules]
    given = ((rule.verb, rule.resource, rule.api_group) for rule in rules)
    account(cluster, namespace, name, given, everywhere=True)
    with serving(folder, SCALE_KUBE_CONFIG=str(kubeconfig_of(cluster, namespace, name, folder))) as product:
        yield product
