"""The calibration's figures as a page for people: the worst of each row, and how often a verdict is reached."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import scipy  # type: ignore[import-untyped]

from tests.bench.calibrate_looks import breaks_its_bound

Measured = dict[str, Any]

INTRODUCTION = """# How often the verdict is wrong

Made by `make calibrate` ({when}, {cores} {machine} cores, all used, {seconds:.0f} s; Python {python}, numpy {numpy},
scipy {scipy}). Each cell judges made-up runs whose truth is known: {trials:,} trials in {cells} cells, seeded, so a
second run gives the same figures. All cells are in `build/calibration.json`.

What is varied: pods, connections, requests per connection (one each, Poisson, heavy tail; one each only above 500
connections), and the policy that picks a pod for each connection:

- **random**: fair, every pod equally likely. True CV 0.
- **spread**: pods' long-run shares evenly spaced. True CV 0.03, 0.05, 0.3, 0.5.
- **hot pod**: one pod above all others, which are equal. True CV 0.03, 0.05, 0.3, 0.5.
- **round robin** and **least connections**: more even than chance. True CV 0.
- **weighted round robin**: as even as its weights allow. True CV 0.05.

The promise, per cell: false UNEVEN at most 5 %, false EVEN at most 5 %, and the 95 % interval contains the true CV in
at least 93 % of trials (a cell has 1,000 trials, which scatter by 0.7 percentage points; round robin and least
connections have 200). Cells that break it: **{broken}**.

## The worst cell of each row
"""

DECIDED = """
## How often a verdict is reached

One request per connection. Score: the mean score of a fair random balancer. The other columns: the share of trials
with that verdict; the rest is UNDECIDED.

"""

LOOKED = """
## Ever wrong over all looks

The live verdict is looked at every second and must hold at all looks together. A run counts as wrong if it was UNEVEN
at any second though the balancer is fair, or EVEN though the CV is exactly 0.025. Each connection is one pick. The
promise: at most 1 % of fair runs, at most 5 % of those at the threshold (plus 2.6 standard deviations of chance,
because the runs are few). Rows that break it: **{broken}**.

"""

NOTES = """
With 50 keep-alive connections a fair random balancer scores far below 0.95, and the verdict stays UNDECIDED. A CV of
0.3 is found with a few hundred connections, a CV of 0.05 with thousands. EVEN of a random balancer takes about 18,000
connections at 5 pods, because a score of 0.95 allows a CV of only 0.025. Round robin is EVEN after about 20
connections per pod; with 2 pods, where exact matches are common, as late as a random balancer.
"""


def page(cells: Sequence[Measured], looks: Sequence[Measured], seconds: float) -> str:
    """The whole page, Markdown. looks: cells that were looked at every second."""
    broken = sum(c["false_uneven"] > 0.05 or c["false_even"] > 0.05 or c["coverage"] < 0.93 for c in cells)
    start = INTRODUCTION.format(
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=os.cpu_count(),
        machine=platform.machine(),
        seconds=seconds,
        python=platform.python_version(),
        numpy=np.__version__,
        scipy=scipy.__version__,
        trials=sum(c["trials"] for c in cells),
        cells=f"{len(cells):,}",
        broken=broken,
    )
    return f"{start}\n{_worst(cells)}{DECIDED}{_decided(cells)}{NOTES}{_looked(looks)}"


def _worst(cells: Sequence[Measured]) -> str:
    head = ["pods", "connections", "cells", "false UNEVEN", "false EVEN", "least coverage", "there"]
    return _table(head, [_worst_row(key, of) for key, of in _grouped(cells)])


def _worst_row(key: tuple[int, int], cells: Sequence[Measured]) -> list[str]:
    least = min(cells, key=lambda c: float(c["coverage"]))
    where = f"{least['policy']}, CV {least['true_cv']:g}, {least['load']}"
    wrong = [_percent(max(c[name] for c in cells)) for name in ("false_uneven", "false_even")]
    return [f"{key[0]:,}", f"{key[1]:,}", str(len(cells)), *wrong, _percent(least["coverage"]), where]


def _decided(cells: Sequence[Measured]) -> str:
    head = ["pods", "connections", "score", "random: EVEN", "random: UNEVEN", "round robin: EVEN"]
    head += [f"{policy} {cv:g}: UNEVEN" for cv in (0.05, 0.3, 0.5) for policy in ("spread", "hot pod")]
    simple = [c for c in cells if c["load"] == "one each"]
    return _table(head, [_decided_row(key, of) for key, of in _grouped(simple)])


def _decided_row(key: tuple[int, int], cells: Sequence[Measured]) -> list[str]:
    def of(policy: str, cv: float, name: str, shown: Callable[[float], str]) -> str:
        found = [c[name] for c in cells if c["policy"] == policy and c["true_cv"] == cv]
        return shown(found[0]) if found else ""

    row = [f"{key[0]:,}", f"{key[1]:,}", of("random", 0.0, "mean_score", lambda score: f"{score:.2f}")]
    row += [of("random", 0.0, name, _percent) for name in ("even", "uneven")] + [
        of("round robin", 0.0, "even", _percent)
    ]
    return row + [of(policy, cv, "uneven", _percent) for cv in (0.05, 0.3, 0.5) for policy in ("spread", "hot pod")]


def _looked(cells: Sequence[Measured]) -> str:
    head = ["true CV", "pods", "picks a second", "looks", "runs", "ever wrong over all looks", "ever EVEN"]
    head += ["picks until half are EVEN"]
    rows = []
    for cell in sorted(cells, key=lambda cell: cell["case"] == "edge"):
        row = ["0" if cell["case"] == "fair" else "0.025"]
        row += [f"{cell[name]:,}" for name in ("pods", "picks_per_s", "looks", "trials")]
        row += [_percent(cell["ever_wrong"]), _percent(cell["ever_even"])]
        rows.append([*row, f"{cell['median_even_picks']:,}" if cell["median_even_picks"] else ""])
    return LOOKED.format(broken=sum(breaks_its_bound(cell) for cell in cells)) + _table(head, rows)


def _grouped(cells: Sequence[Measured]) -> list[tuple[tuple[int, int], list[Measured]]]:
    groups: dict[tuple[int, int], list[Measured]] = {}
    for cell in cells:
        groups.setdefault((cell["pods"], cell["connections"]), []).append(cell)
    return list(groups.items())


def _percent(rate: float) -> str:
    return f"{100 * rate:.1f} %" if 0 < rate < 1 else f"{100 * rate:.0f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---:"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
