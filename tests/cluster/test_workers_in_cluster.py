"""Worker pods of k8s/workers send a run's load: they join by the Service's name and the shared secret."""

from __future__ import annotations

from collections import Counter

from tests.cluster.handle import Cluster
from tests.cluster.installation import SCALE, SHOP, TARGET, WORKERS
from tests.cluster.product import Product
from tests.cluster.truth import TruthOf

APP = "app.kubernetes.io/name=scale-worker"
LIMIT = "--max-log-requests=20"


def test_worker_pods_send_their_part_of_a_run_and_every_request_is_counted(
    cluster: Cluster, installed: Product
) -> None:
    workers = cluster.wait_for_pods(SCALE, APP, WORKERS)
    with TruthOf(cluster, SHOP, "app=echo") as truth:
        ran = installed.run(TARGET, users=12, requests_per_connection=1, duration=10, remote_workers=WORKERS)
    assert ran.counted == truth.answered
    assert sum(ran.counted.values()) == ran.sent > 100
    assert ran.verdict in ("EVEN", "UNDECIDED")
    by_client = senders(cluster)
    assert all(by_client[pod.ip] > ran.sent / 10 for pod in workers), by_client
    assert sum(by_client[pod.ip] for pod in workers) <= ran.sent


def senders(cluster: Cluster) -> Counter[str]:
    """{address: requests so far that came from it}, by the pods' access logs."""
    lines = cluster.kubectl("logs", "-n", SHOP, "-l", "app=echo", "--tail=-1", LIMIT).splitlines()
    return Counter(line.split(" ", 1)[0] for line in lines)
