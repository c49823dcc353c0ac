"""/metrics: the figures of the newest snapshots, with labels that cannot grow without bound."""

from __future__ import annotations

from dataclasses import dataclass, replace
from platform import python_version

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from scale_app import version
from scale_app.api.metrics import MOST_PODS, RUN, RunCollector, labels_of
from scale_app.domain.alert import Alert
from scale_app.domain.histogram import Histogram, bucket_of, cut
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord, Storing
from scale_app.domain.samples import GeneratorHealth
from scale_app.domain.snapshot import RunState, Snapshot, Source
from tests.examples import pod_share, snapshot
from tests.unit.api.conftest import RUNS, Site

Series = dict[tuple[str, ...], float]


def scraped(client: TestClient, name: str, *labels: str) -> Series:
    """{the labels' values: figure} of one name."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}


def test_the_figures_are_the_snapshots(site: Site) -> None:
    run_id = site.started()
    site.traffic(1, a=90, b=10)
    last = site.client.get(f"{RUNS}/{run_id}").json()["last"]
    scores = scraped(site.client, "scale_balance_score", "run_id", "window")
    assert scores[run_id, "run"] == last["balance"]["score"]
    assert scores[run_id, "10s"] == last["recent_balance"]["score"]
    assert scraped(site.client, "scale_balance_cv", "window")[("run",)] == last["balance"]["cv"]
    shares = scraped(site.client, "scale_pod_share", "pod")
    assert shares == {(pod["name"],): pod["share"] for pod in last["pods"]}
    verdicts = scraped(site.client, "scale_verdict", "verdict")
    assert [kind for (kind,), on in verdicts.items() if on] == [last["verdict"]["kind"]]
    assert scraped(site.client, "scale_requests_total") == {(): 100}
    assert scraped(site.client, "scale_runs_active") == {(): 1}


def test_a_runs_series_end_with_the_run(site: Site) -> None:
    site.finished(90, 10)
    assert scraped(site.client, "scale_balance_score") == {}
    assert scraped(site.client, "scale_runs_active") == {(): 0}


def test_a_run_without_a_snapshot_or_a_figure_has_no_series(site: Site) -> None:
    site.started()
    assert scraped(site.client, "scale_users") == {}
    site.traffic(1)
    assert scraped(site.client, "scale_users") == {(): 5}
    assert scraped(site.client, "scale_balance_score") == {}


def test_openmetrics_is_given_when_it_is_asked_for(site: Site) -> None:
    response = site.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["Content-Type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")


@dataclass
class Still:
    """A hub whose runs stand still."""

    records: list[RunRecord]
    notify_problem: str = ""
    storing: Storing = Storing("The disk is full.", 1, 7)

    def own_active(self) -> list[RunRecord]:
        return self.records


def families(last: Snapshot, notify_problem: str = "") -> dict[str, Series]:
    record = RunRecord("run-1", LoadPlan(), Source.DEMO, RunState.RUNNING, 1.0, last=last)
    found: dict[str, Series] = {}
    for family in RunCollector(Still([record], notify_problem)).collect():
        for sample in family.samples:
            further = [value for label, value in sample.labels.items() if label not in RUN]
            found.setdefault(sample.name, {})[tuple(further)] = sample.value
    return found


def test_of_many_pods_the_ones_furthest_from_fair_are_shown() -> None:
    pods = tuple(pod_share(f"pod-{n:03}", share=0.005, against_fair=0.0) for n in range(200))
    odd = replace(pods[150], against_fair=-0.9)
    shown = families(snapshot(pods=(*pods[:150], odd, *pods[151:])))["scale_pod_share"]
    assert len(shown) == MOST_PODS
    assert ("pod-150",) in shown


def test_alerts_lag_and_an_unreached_receiver_are_told() -> None:
    alert = Alert("p95", 0.9, 500.0, "Slow.", 3.0, 700.0)
    health = GeneratorHealth(cpu_share=0.5, loop_lag_ms=12.0, schedule_lag_p99_ms=250.0)
    found = families(snapshot(alerts=(alert,), generator=health), "The webhook answered 500.")
    assert found["scale_alert_active"] == {
        ("verdict",): 0, ("score",): 0, ("pod_share",): 0, ("p95",): 1, ("failures",): 0
    }  # fmt: skip
    assert found["scale_generator_loop_lag_seconds"] == {(): 0.012}
    assert found["scale_generator_schedule_lag_seconds"] == {(): 0.25}
    assert found["scale_notify_failing"] == {(): 1}
    assert (found["scale_store_failing"], found["scale_store_waiting_lines"]) == ({(): 1}, {(): 7})


def test_latency_is_a_histogram_of_the_answers() -> None:
    latencies = cut(Histogram({bucket_of(0.004): 3, bucket_of(0.2): 1, bucket_of(45.0): 1}))
    found = families(snapshot(latencies=latencies))
    buckets = found["scale_request_latency_seconds_bucket"]
    assert [buckets[limit,] for limit in ("0.0025", "0.005", "0.1", "0.25", "30.0", "+Inf")] == [0, 3, 3, 4, 4, 5]
    assert found["scale_request_latency_seconds_count"] == {(): 5}
    assert found["scale_request_latency_seconds_sum"][()] == pytest.approx(45.212, rel=0.01)


def test_a_run_without_an_answer_has_no_histogram_and_no_figure_has_a_quantile(site: Site) -> None:
    assert "scale_request_latency_seconds_bucket" not in families(snapshot())
    site.started()
    site.traffic(1, a=90)
    page = site.client.get("/metrics").text
    assert "quantile=" not in page
    assert "# TYPE scale_request_latency_seconds histogram" in page


def test_what_is_installed_and_what_the_process_uses_are_told(site: Site) -> None:
    assert scraped(site.client, "scale_build_info", "version", "python") == {(version(), python_version()): 1}
    assert scraped(site.client, "process_resident_memory_bytes")[()] > 1_000_000


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://shop.example/a?token=secret#x", "http://shop.example/a"),
        ("simulated?pods=20", "simulated"),
        ("demo", "demo"),
        ("http://shop.example/" + "x" * 500, ("http://shop.example/" + "x" * 500)[:200]),
    ],
)
def test_a_targets_label_holds_no_secret_and_is_short(url: str, shown: str) -> None:
    record = RunRecord("run-1", LoadPlan(url), Source.HEADER, RunState.RUNNING, 1.0)
    assert labels_of(record) == ("run-1", shown, "header")
