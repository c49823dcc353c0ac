"""Counters on a page of Prometheus' text format.

Pages may be large and most of their lines are no counters, so lines are picked before the real parser sees them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

STARTED = "process_start_time_seconds"
LONGEST_LINE = 4_096
COUNTING_TYPES = ("counter", "histogram", "summary")

Labels = tuple[tuple[str, str], ...]
Series = tuple[str, Labels]


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
    for sample in _parsed("\n".join(picked[:most])):
        if not math.isfinite(sample.value) or sample.value < 0:
            continue
        if sample.name == STARTED:
            started = str(sample.value)
        else:
            counters[sample.name, tuple(sorted(sample.labels.items()))] = sample.value
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


def _parsed(text: str) -> Iterator[_Sample]:
    try:
        for family in text_string_to_metric_families(text + "\n"):
            for sample in family.samples:
                yield _Sample(sample.name, sample.labels, float(sample.value))
    except (ValueError, KeyError, IndexError, TypeError, OverflowError) as error:
        raise NotAPage(str(error)) from error


@dataclass(frozen=True, slots=True)
class _Sample:
    name: str
    labels: Mapping[str, str]
    value: float
