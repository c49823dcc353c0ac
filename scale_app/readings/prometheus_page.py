"""Counters on a page of Prometheus' text format, and which of them is the one of requests.

Pages may be large and most of their lines are no counters, so lines are picked before the real parser sees them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

STARTED = "process_start_time_seconds"
LONGEST_LINE = 4_096
COUNTING_TYPES = ("counter", "histogram", "summary")

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]
SENT_TO_JUDGE = 20
LEAST_RATIO = 0.9
MOST_RATIO = 20.0
NOT_REQUESTS = ("bytes", "seconds_total", "_sum", "metric_handler", "scrape")
PATH_LABELS = frozenset({"path", "uri", "url", "handler", "route", "endpoint", "http_route", "http_target", "target"})


class NotAPage(ValueError):
    """The text is not of Prometheus' format."""


@dataclass(frozen=True, slots=True)
class Page:
    """counters: {(name, labels): value}. started: text that changes with the process, "" when the page has none."""

    counters: Mapping[Series, float]
    started: str = ""


def counters_of(page: bytes, name: str = "", most: int = 2_000) -> Page:
    """The counters on a page, or those of one name; at most so many, those about requests first. Raises NotAPage."""
    if page.lstrip()[:1] in (b"<", b"{"):
        raise NotAPage("it begins like HTML or JSON")
    picked = list(_picked(page.decode("utf-8", "replace"), name))
    picked.sort(key=lambda line: "request" not in line and not line.startswith(STARTED))
    counters: dict[Series, float] = {}
    started = ""
    for metric, labels, value in _parsed("\n".join(picked[:most])):
        if metric == STARTED and math.isfinite(value) and value >= 0:
            started = str(value)
        elif math.isfinite(value) and value >= 0:
            counters[metric, labels] = value
    return Page(counters, started)


def _picked(text: str, name: str) -> Iterator[str]:
    kinds: dict[str, str] = {}
    for line in text.split("\n"):
        if line.startswith("#"):
            words = line.split(None, 4)
            if len(words) == 4 and words[1] == "TYPE":
                kinds[words[2]] = words[3]
        elif line and len(line) <= LONGEST_LINE:
            metric = line.partition("{")[0].partition(" ")[0].strip()
            if metric == STARTED or _counts(metric, name, kinds):
                yield line


def _counts(metric: str, name: str, kinds: Mapping[str, str]) -> bool:
    if name:
        return metric in (name, f"{name}_total")
    if metric.endswith("_count"):
        return kinds.get(metric.removesuffix("_count")) in COUNTING_TYPES
    return kinds.get(metric) == "counter" or kinds.get(metric.removesuffix("_total")) == "counter"


def _parsed(text: str) -> Iterator[tuple[str, Labels, float]]:
    try:
        for family in text_string_to_metric_families(text + "\n"):
            for sample in family.samples:
                yield sample.name, tuple(sorted(sample.labels.items())), float(sample.value)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise NotAPage(str(error)) from error


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
