"""What tests on a real cluster share: the cluster, Scale beside it, and a namespace of one's own."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.handle import NAMED_BY, Cluster
from tests.cluster.installation import install, uninstall
from tests.cluster.product import Product, serving
from tests.cluster.product_image import IMAGE_BY
from tests.cluster.targets import namespace as namespace_object

HOW = "needs a real cluster: `make test-cluster`"
NUMBERS = itertools.count(1)
LONGEST_NAME = 50


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


@pytest.fixture(scope="session")
def installed(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product in the cluster, as an operator deploys it; reached through a proxy."""
    image = os.environ.get(IMAGE_BY)
    if not image:
        pytest.skip(f"needs the product's image: `make test-cluster`, or its archive in {IMAGE_BY}")
    yield install(cluster, Path(image), tmp_path_factory.mktemp("installation"))
    uninstall(cluster)


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace for this test alone; gone afterwards with all that is in it."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:LONGEST_NAME].strip("-")
    name = f"{words}-{next(NUMBERS)}"  # tests may begin with the same words, and namespaces take a while to be gone
    cluster.apply([namespace_object(name)])
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")
