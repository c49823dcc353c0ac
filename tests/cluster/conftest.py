"""What tests on a real cluster share: the cluster, Scale beside it, and a namespace of one's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from tests.cluster.handle import NAMED_BY, Cluster
from tests.cluster.product import Product, serving
from tests.cluster.targets import namespace as namespace_object

HOW = "needs a real cluster: `make test-cluster`"


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The cluster that this process is inside of."""
    name = os.environ.get(NAMED_BY)
    if not name:
        pytest.skip(HOW)
    return Cluster(name)


@pytest.fixture(scope="session")
def product(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """`scale serve` in the client's network, for all tests that need nothing special of it."""
    with serving(tmp_path_factory.mktemp("scale")) as running:
        yield running


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for this test alone; gone afterwards with all that is in it."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:50].strip("-")
    cluster.apply([namespace_object(name)])
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def iptables(cluster: Cluster) -> None:
    """kube-proxy as it is by default."""
    if cluster.status()["proxy_mode"] != "iptables":
        cluster.proxy_mode("iptables")
