"""What machines ask of the server itself: is it alive, is it ready, what does it measure.

/metrics is for Prometheus: the runs that send load now, read from their newest snapshots when it asks.
Labels are bounded: at most as many runs as may send load at the same time, and of each run the MOST_PODS pods that are
furthest from their fair share. A run's series end with the run.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from platform import python_version
from typing import get_args
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector
from starlette.responses import Response

from scale_app import version
from scale_app.api.operation import CheckedRequest, Operation
from scale_app.api.v1.shapes import Status
from scale_app.domain.alert import AlertKind
from scale_app.domain.balance import Balance
from scale_app.domain.errors import ServerEnding, StoreUnavailable
from scale_app.domain.histogram import LIMITS_MS
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.service.hub import Hub

MOST_PODS = 50
LONGEST_TARGET = 200
RUN = ("run_id", "target", "source")
Figures = Mapping[str, float | None]
"""{value of the label: figure}; None for a figure that there is not."""
Reading = Callable[[Snapshot], Figures]


def metrics_answer(hub: Hub) -> Callable[[CheckedRequest], Awaitable[Response]]:
    """What answers /metrics, in Prometheus' or OpenMetrics' format as it is asked for."""
    registry = CollectorRegistry()
    registry.register(RunCollector(hub))
    ProcessCollector(registry=registry)

    async def metrics(asked: CheckedRequest) -> Response:
        encode, kind = choose_encoder(asked.accept)
        return Response(encode(registry), headers={"Content-Type": kind, "Cache-Control": "no-store"})

    return metrics


class RunCollector(Collector):
    """Asked at each scrape; keeps nothing."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[Metric]:
        """Every family, also those without a series now."""
        active = self._hub.own_active()
        build = {"version": version(), "python": python_version()}
        yield InfoMetricFamily("scale_build", "What is installed.", build)
        yield GaugeMetricFamily("scale_runs_active", "Active runs.", len(active))
        failing = "1 while alerts cannot be delivered to a receiver."
        yield GaugeMetricFamily("scale_notify_failing", failing, float(bool(self._hub.notify_problem)))
        storing, late = self._hub.storing, "1 while data is not stored yet."
        yield GaugeMetricFamily("scale_store_failing", late, float(bool(storing.problem)))
        yield GaugeMetricFamily("scale_store_waiting_lines", "Lines waiting to be stored.", storing.waiting_lines)
        runs = [(labels_of(record), record.last) for record in active if record.last is not None]
        for kind, name, text, label, reading in FAMILIES:
            family = kind(name, text, labels=[*RUN, label] if label else RUN)
            for labels, last in runs:
                for value, figure in reading(last).items():
                    if figure is not None:
                        family.add_metric([*labels, value] if label else labels, figure)
            yield family
        yield _latencies(runs)


def labels_of(record: RunRecord) -> tuple[str, str, str]:
    """run_id, target, source. The target's query is left out: it may hold a secret."""
    parts = urlsplit(record.plan.target_url)
    target = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else parts.path
    return record.run_id, target[:LONGEST_TARGET], record.source.value


def _latencies(runs: list[tuple[tuple[str, str, str], Snapshot]]) -> HistogramMetricFamily:
    family = HistogramMetricFamily("scale_request_latency_seconds", "Latency of the answered requests.", labels=RUN)
    for labels, last in runs:
        if (counted := last.latencies).total:
            limits = [(repr(limit / 1_000), float(n)) for limit, n in zip(LIMITS_MS, counted.within, strict=True)]
            family.add_metric(labels, [*limits, ("+Inf", counted.total)], counted.sum_s)
    return family


def _one(figure: Callable[[Snapshot], float | None]) -> Reading:
    return lambda last: {"": figure(last)}


def _by_window(figure: Callable[[Balance], float | None]) -> Reading:
    return lambda last: {
        "run": figure(last.balance), "10s": figure(last.recent_balance), "60s": figure(last.minute_balance)
    }  # fmt: skip


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000


def _verdicts(last: Snapshot) -> Figures:
    return {kind.value: float(last.verdict.kind is kind) for kind in VerdictKind}


def _shares(last: Snapshot) -> Figures:
    telling = sorted(last.pods, key=lambda pod: (-abs(pod.against_fair), pod.name))[:MOST_PODS]
    return {pod.name: pod.share for pod in telling}


def _alerts(last: Snapshot) -> Figures:
    on = {alert.rule for alert in last.alerts}
    return {rule: float(rule in on) for rule in get_args(AlertKind)}


GAUGE, COUNTER = GaugeMetricFamily, CounterMetricFamily
FAMILIES: tuple[tuple[type[GaugeMetricFamily] | type[CounterMetricFamily], str, str, str, Reading], ...] = (
    (GAUGE, "scale_balance_score", "1 is perfectly even; 0.95 or more is balanced.", "window",
     _by_window(lambda balance: balance.score)),
    (GAUGE, "scale_balance_cv", "Coefficient of variation of requests per pod.", "window",
     _by_window(lambda balance: balance.cv)),
    (GAUGE, "scale_verdict", "1 for the current verdict on the whole run.", "verdict", _verdicts),
    (GAUGE, "scale_pods", "Pods that the score covers.", "", _one(lambda last: last.balance.pods)),
    (GAUGE, "scale_pod_share", f"Part of the requests, 0..1, of the {MOST_PODS} pods furthest from their fair share.",
     "pod", _shares),
    (GAUGE, "scale_alert_active", "1 while an alert of this rule is on.", "rule", _alerts),
    (GAUGE, "scale_users", "Active users.", "", _one(lambda last: last.users)),
    (COUNTER, "scale_requests", "Completed requests.", "", _one(lambda last: last.requests)),
    (COUNTER, "scale_request_failures", "Failed requests.", "", _one(lambda last: last.failures)),
    (COUNTER, "scale_requests_unattributed", "Requests that named no pod.", "", _one(lambda last: last.unattributed)),
    (GAUGE, "scale_generator_loop_lag_seconds",
     "Largest delay of the load generator's event loop in the last second.", "",
     _one(lambda last: _seconds(last.generator.loop_lag_ms))),
    (GAUGE, "scale_generator_schedule_lag_seconds", "Delay of arrivals in the last second, 99th percentile.",
     "", _one(lambda last: _seconds(last.generator.schedule_lag_p99_ms))),
    (GAUGE, "scale_generator_cpu_ratio", "CPU use of the load generator, 1 is a full core.", "",
     _one(lambda last: last.generator.cpu_share)),
)  # fmt: skip
"""Of each series of a run: its kind, name, meaning, its label beside those of the run ("" for none), its figures."""


def probe_operations(hub: Hub) -> list[Operation]:
    """/healthz, /readyz and /metrics. Their queries are not looked at: a probe may add what it likes."""

    async def ready(_asked: CheckedRequest) -> Status:
        await hub.check()
        return Status("ready")

    return [
        Operation("GET", "/healthz", "isAlive", "Server", "Liveness check", _alive, Status, query=None),
        Operation(
            "GET", "/readyz", "isReady", "Server", "Readiness check: can runs be stored", ready, Status, query=None,
            errors=(StoreUnavailable, ServerEnding),
        ),
        Operation(
            "GET", "/metrics", "getMetrics", "Server", "Figures of the active runs for Prometheus",
            metrics_answer(hub), query=None, media=("text/plain", "application/openmetrics-text"),
            does="Score, CV, verdict, the shares of the pods furthest from their fair share, alerts, a histogram of "
                 "latency, the load generator's lag, and the server's own version, memory and CPU. A run's series end "
                 "with the run; the number of labels is bounded.",
        ),
    ]  # fmt: skip


async def _alive(_asked: CheckedRequest) -> Status:
    return Status("ok")
