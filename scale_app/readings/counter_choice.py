"""Which of many counters is the one of requests: the one that moves as the load does."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from scale_app.readings.prometheus_page import Labels, Series

SENT_TO_JUDGE = 20
LEAST_RATIO = 0.9
MOST_RATIO = 20.0
NOT_REQUESTS = ("bytes", "seconds_total", "_sum", "metric_handler", "scrape")
PATH_LABELS = frozenset({"path", "uri", "url", "handler", "route", "endpoint", "http_route", "http_target", "target"})


def counter_of_requests(gained: Mapping[str, float], sent: int) -> str:
    """The name of the counter that gained, over all pods, what the load sent; "" when none did, or it is too early.

    gained: {counter: gained over all pods since the load began}. Other clients can make it gain more, never much less.
    """
    if sent < SENT_TO_JUDGE:
        return ""
    fitting = [name for name, gain in gained.items() if LEAST_RATIO * sent <= gain <= MOST_RATIO * sent]
    likely = [name for name in fitting if not any(part in name for part in NOT_REQUESTS)]
    return min(likely, key=lambda name: _rank(name, gained[name] / sent), default="")


def _rank(name: str, ratio: float) -> tuple[float, bool, str]:
    """Nearness to the load in steps of 10 %, then what the name promises."""
    return round(abs(math.log(ratio)), 1), "request" not in name, name


def series_of_path(series: Iterable[Series], path: str) -> frozenset[Labels]:
    """The labels of those series that are about this path alone; none when the counter does not tell paths apart."""
    return frozenset(
        labels for _, labels in series if any(name in PATH_LABELS and value == path for name, value in labels)
    )
