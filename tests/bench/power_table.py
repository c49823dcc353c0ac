"""The power matrix as a section of the calibration page: what is found after how many picks, and what goes wrong."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from scipy import special

from tests.bench.power_cells import scenes
from tests.bench.power_traffic import Case

Measured = dict[str, Any]
CASES = get_args(Case)

HEADING = "## What is found, and what is missed\n"
MOST_MISSES_SHOWN = 40

INTRODUCTION = """
Made by `make power` ({when}, {cores} {machine} cores, all used, {seconds:.0f} s): {trials:,} made-up runs in
{cells:,} of {all_cells:,} cells, seeded. Made-up traffic of a balancer whose truth is known goes through the load
generator's own counters and then, second by second, through the run: windows, verdict, alerts, causes. All
cells are in `build/power.json`.

In {fair:,} fair runs UNEVEN was said at some second of {fair_uneven} (95 % bound of the part: {fair_bound:.1f} %). A
row says more than a cell, which mostly has one to four. Changed goals:
[decision 12](decisions/0012-misses-are-measured.md).

The cells combine:

- **who decides**: layer 4 (once per connection), layer 7 (each request), hash (once per connection, and half-way a
  few connections fail over to another pod), mixture (half of the clients by each), sticky (the next request on a
  connection stays with a probability of 0.8). Behind a proxy a pod that refuses shows as the proxy's own 502.
- **connections**: kept for the whole run, new after every 5 requests, new for each request.
- **pods** 2, 5, 20, 200 and **effective picks** 50, 500, 5,000 within 30 seconds; kept connections at layer 4 are as
  many users. A few cells last 3 minutes, 5 minutes or an hour.
- **what is wrong**: nothing; one pod gets 1.25, 2 or 3 times as much as another; one gets 2 % of a fair share; one is
  dead though ready (its requests time out after a second, are refused, are reset, or end in a 503); all goes to one;
  every second pod, those of one node, gets nothing; a pod joins after a third of the time. "edge" is a CV of 0.025.
- **warm-up**: none, or 5 seconds (kept connections at 5 and 20 pods). A few cells have two worker processes.

The goals per cell, as a share of trials:

- even balancer: UNEVEN at no second (99 %), no alert (99 %);
- uneven balancer: EVEN at no second (95 %), no alert that ends too early (all);
- one pod at 2 or 3 times, starved, dead, all on one, half idle: an alert (99 %) and the right cause (95 %), where the
  picks give evidence of 10,000 to 1 even at 2.6 standard deviations below the mean of the best test. Of two pods, one
  of which gets nearly all, connections count;
- a wrong cause: never (99 %).

Cells that miss a goal: **{missed}** of {cells:,}.

### By what is wrong and who decides

Shares of trials. Alert and right cause: mean over the cells that have the goal, and the least of them. The other
columns: the most of any cell.

"""

POWER = """
### After how many picks it is found

Share of trials with an alert within a minute, mean over all balancers; **bold** where picks are enough in each of them.

"""

SETTINGS = """
### Unknown pods, shares that are meant, rollouts

5 and 20 pods, 5,000 picks within 30 seconds; layer 4 with new connections every 5 requests and for each, layer 7 kept.
Unknown roster: only pods that answer are known. Declared weights: 3 for one pod, 1 for each other; "fair" keeps to
them. Rollout: each pod is replaced, the balancer hears 2 seconds later, and the first successor is hot or starved.
Requests lost: 2 % of those to any pod wait in vain; 20, 50 or 500 picks, 3 to 50 pods, layer 4.

"""

LONG = """
### Looked at for longer

"""

MISSES = """
### Cells that miss a goal

"""


def write_section(page: Path, cells: Sequence[Measured], seconds: float) -> None:
    """Put the section into the page, in the place of the one that is there, else at the end."""
    before, _, _ = page.read_text().partition(HEADING)
    page.write_text(f"{before.rstrip()}\n\n{section(cells, seconds)}")


def kept_section(page: Path) -> str:
    """The section as it stands in the page, "" when there is none: for whoever writes the rest of the page anew."""
    _, heading, text = page.read_text().partition(HEADING) if page.exists() else ("", "", "")
    return f"\n{heading}{text}" if heading else ""


def _fair(cells: Sequence[Measured]) -> dict[str, float]:
    """Fair runs, those that were ever called uneven, and the exact upper bound of their part (Clopper and Pearson), in
    per cent."""
    fair = [cell for cell in cells if cell["case"] == "fair"]
    runs, uneven = (
        sum(cell["trials"] for cell in fair),
        round(sum(cell["ever_uneven"] * cell["trials"] for cell in fair)),
    )
    bound = float(special.betaincinv(uneven + 1, runs - uneven, 0.95)) if uneven < runs else 1.0
    return {"fair": runs, "fair_uneven": uneven, "fair_bound": 100 * bound}


def section(cells: Sequence[Measured], seconds: float) -> str:
    """The whole section, Markdown."""
    missed = [cell for cell in cells if not cell["ok"]]
    introduction = INTRODUCTION.format(
        when=datetime.now(UTC).strftime("%Y-%m-%d"),
        cores=os.cpu_count(),
        machine=platform.machine(),
        seconds=seconds,
        trials=sum(cell["trials"] for cell in cells),
        cells=len(cells),
        all_cells=len(list(scenes())),
        missed=len(missed),
        **_fair(cells),
    )
    short = [cell for cell in cells if cell["seconds"] < 60 and not cell["setting"]]
    set_apart = [cell for cell in cells if cell["setting"]]
    tables = [introduction, _by_case(short), POWER, _by_picks(short)]
    tables += [SETTINGS, _by_case(set_apart, "setting")] if set_apart else []
    tables += [LONG, _long(cells)]
    return HEADING + "".join(tables) + (MISSES + _misses(missed) if missed else "")


def _by_case(cells: Sequence[Measured], by: str = "layer") -> str:
    head = [
        "what is wrong",
        {"layer": "who decides"}.get(by, by),
        "cells",
        "runs",
        "miss",
        "alert",
        "wrongly ended",
        "ever UNEVEN",
    ]
    head += ["ever EVEN", "right cause", "wrong cause"]
    rows = []
    for (case, named), of in sorted(_grouped(cells, "case", by), key=lambda group: CASES.index(group[0][0])):
        broken = sum(not cell["ok"] for cell in of)
        row = [case, named, str(len(of)), f"{sum(cell['trials'] for cell in of):,}", str(broken) if broken else ""]
        row.append(_asked(of, "alerted"))
        row += [_most(of, name) for name in ("wrongly_ended", "ever_uneven", "ever_even")]
        rows.append([*row, _asked(of, "cause_right"), _most(of, "cause_wrong")])
    return _table(head, rows, words=2)


def _asked(cells: Sequence[Measured], name: str) -> str:
    """Mean and least of the cells that have the goal; where being told is the fault, the most of any cell."""
    asked = [cell[name] for cell in cells if name in cell["goals"]]
    if not asked:
        return ""
    if name == "alerted" and "ever_uneven" in cells[0]["goals"]:
        return _percent(max(asked))
    return f"{_percent(sum(asked) / len(asked))} ({_percent(min(asked))})"


def _most(cells: Sequence[Measured], name: str) -> str:
    """The most of any cell, "" where nothing is asked of it."""
    return _percent(max((cell[name] for cell in cells if name in cell["goals"]), default=None))


def _by_picks(cells: Sequence[Measured]) -> str:
    columns = list(dict.fromkeys((cell["pods"], cell["picks"]) for cell in cells))
    head = ["what is wrong", *(f"{pods} pods, {picks:,}" for pods, picks in sorted(columns))]
    rows = []
    for (case,), of in sorted(_grouped(cells, "case"), key=lambda group: CASES.index(group[0][0])):
        at = {key: list(group) for key, group in _grouped(of, "pods", "picks")}
        rows.append([case, *(_found(at.get(column, [])) for column in sorted(columns))])
    return _table(head, rows, words=1)


def _found(cells: Sequence[Measured]) -> str:
    if not cells:
        return ""
    share = _percent(sum(cell["alerted"] for cell in cells) / len(cells))
    asked = all("alerted" in cell["goals"] and "ever_even" in cell["goals"] for cell in cells)
    return f"**{share}**" if asked else share


def _long(cells: Sequence[Measured]) -> str:
    head = ["what is wrong", "who decides", "connections", "pods", "picks", "seconds", "trials", "alert"]
    head += ["wrongly ended", "ever UNEVEN", "ever EVEN", "at the end"]
    rows = []
    for cell in cells:
        if cell["seconds"] >= 60:
            row = [cell["case"], cell["layer"], cell["connections"]]
            row += [f"{cell[name]:,}" for name in ("pods", "picks", "seconds", "trials")]
            row += [_percent(cell[name]) for name in ("alerted", "wrongly_ended", "ever_uneven", "ever_even")]
            rows.append([*row, cell["final_verdict"]])
    return _table(head, rows, words=3)


def _misses(cells: Sequence[Measured]) -> str:
    """The first so many; all of them are in the file."""
    head = ["what is wrong", "who decides", "connections", "pods", "picks", "warm-up", "trials", "missed", "at the end"]
    rows = [_miss(cell) for cell in cells[:MOST_MISSES_SHOWN]]
    more = len(cells) - len(rows)
    return _table(head, rows, words=3) + (f"\nAnd {more:,} more, in `build/power.json`.\n" if more > 0 else "")


def _miss(cell: Measured) -> list[str]:
    missed = ", ".join(f"{name.replace('_', ' ')} {_percent(cell[name])}" for name in cell["missed"])
    wrong = " and ".join(sorted(cell["wrong_causes"])) if "cause_wrong" in cell["missed"] else ""
    row = [cell["case"], cell["layer"], cell["connections"], f"{cell['pods']}", f"{cell['picks']:,}"]
    row += [f"{cell['warm_up_s']} s", str(cell["trials"]), missed + (f" ({wrong})" if wrong else "")]
    return [*row, cell["final_verdict"]]


def _grouped(cells: Iterable[Measured], *names: str) -> list[tuple[tuple[Any, ...], list[Measured]]]:
    key: Callable[[Measured], tuple[Any, ...]] = lambda cell: tuple(cell[name] for name in names)  # noqa: E731
    groups: dict[tuple[Any, ...], list[Measured]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return list(groups.items())


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f"{100 * share:.1f} %" if 0 < share < 0.1 or 0.9 < share < 1 else f"{100 * share:.0f} %"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    """words: how many of the first columns are text."""
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
