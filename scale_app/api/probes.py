"""What machines ask of the server itself: is it alive, is it ready, what does it measure."""

from __future__ import annotations

from scale_app.api.metrics import metrics_answer
from scale_app.api.operation import Asked, Operation
from scale_app.api.v1.shapes import Status
from scale_app.domain.errors import StoreUnavailable
from scale_app.service.runs import Runs


def probe_operations(hub: Runs) -> list[Operation]:
    """/healthz, /readyz and /metrics. Their queries are not looked at: a probe may add what it likes."""

    async def ready(_asked: Asked) -> Status:
        await hub.check()
        return Status("ready")

    return [
        Operation("GET", "/healthz", "isAlive", "Server", "The process answers", _alive, Status, query=None),
        Operation(
            "GET", "/readyz", "isReady", "Server", "Runs can be kept now", ready, Status, query=None,
            errors=(StoreUnavailable,),
        ),
        Operation(
            "GET", "/metrics", "getMetrics", "Server", "Figures of the active runs for Prometheus",
            metrics_answer(hub), query=None, media=("text/plain", "application/openmetrics-text"),
            does="Score, CV, verdict, the shares of the pods furthest from fair, alerts, latency and the load "
            "generator's own lag. A run's series end with the run; labels are bounded.",
        ),
    ]  # fmt: skip


async def _alive(_asked: Asked) -> Status:
    return Status("ok")
