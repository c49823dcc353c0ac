"""Pods of a Service behind a fake API server, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scale_app.adapters.kubernetes.client import Cluster
from tests.fake_pods import FakePods


@pytest.fixture
async def server() -> AsyncIterator[FakePods]:
    fake = FakePods()
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def cluster(server: FakePods, tmp_path: Path) -> AsyncIterator[Cluster]:
    opened = Cluster(server.kubeconfig(tmp_path))
    yield opened
    await opened.close()
