"""What is found and what is missed: made-up broken balancers through the worker's counters and the run's own judgement.

Run it as `python -m tests.bench.power`: minutes on two cores, the same figures for the same seed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, get_args

import numpy as np

from scale_app.child_process import die_with_owner
from tests.bench.power_cells import (
    HOUR_S,
    MAIN,
    SECONDS,
    TOO_EARLY,
    Goal,
    goals_of,
    named_right,
    named_wrong,
    scenes,
    truly_even,
    truly_uneven,
)
from tests.bench.power_table import write_section
from tests.bench.power_traffic import Layer, Scene
from tests.bench.power_watch import Seen, watch

SEED = 15
ALERT_WITHIN_S = 60
FIRST_FAIR, FIRST, FIRST_UNASKED, MOST, HOURS = 4, 2, 1, 100, 2
"""Trials: where nothing may be said, where something has to be, elsewhere; at most; of an hour.

So few say little of one cell, and much of a row of the table, which has dozens; `--times` has more of them. A cell
where one goes wrong is looked at more closely in any case."""
FIGURES = (
    "alerted",
    "wrongly_ended",
    "ever_uneven",
    "ever_even",
    "recent_uneven",
    "cause_right",
    "cause_wrong",
    "cause_ever_wrong",
)


Watching = Callable[[Scene, np.random.Generator], Seen]


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured of one scene. Figures are shares of trials, 0..1.

    connections: whether clients keep theirs. alerted: within a minute; median_alert_s: when, in half of those trials.
    wrongly_ended: an alert was said to be over while nothing had changed. ever_uneven, ever_even: the verdict since
    the start said so at any second; recent_uneven: that of the last 10 or 60 seconds. cause_right, cause_wrong: named
    at the end; cause_ever_wrong: at any second. final: {verdict at the end: share}. median_picks: as the verdict took
    them at the end. missed: those of the goals that were not reached.
    """

    case: str
    pods: int
    picks: int
    layer: str
    connections: str
    warm_up_s: int
    processes: int
    setting: str
    seconds: int
    trials: int
    alerted: float
    wrongly_ended: float
    ever_uneven: float
    ever_even: float
    recent_uneven: float
    cause_right: float
    cause_wrong: float
    cause_ever_wrong: float
    final_verdict: str
    final: dict[str, float]
    median_alert_s: float | None
    median_picks: float
    wrong_causes: dict[str, int]
    goals: list[str]
    missed: list[str]
    ok: bool


def measure(
    scene: Scene, first: int | None = None, most: int = MOST, watching: Watching = watch, times: int = 1
) -> Cell:
    """Watch as many trials as it takes to see whether each goal is reached: few where all is well or nothing is.

    times: so many times as many at first.
    """
    named = {name: value for name, value in asdict(scene).items() if value != ""}
    rng = np.random.default_rng([SEED, zlib.crc32(repr(named).encode())])
    goals, seen = goals_of(scene), list[Seen]()
    first = first or times * _first(scene, goals)
    most = first if scene.seconds == HOUR_S else max(first, most)
    while len(seen) < first or (len(seen) < most and _open(scene, goals, seen, most)):
        seen.append(watching(scene, rng))
    return _cell(scene, goals, seen)


def _first(scene: Scene, goals: Sequence[Goal]) -> int:
    """Trials that each cell gets; an hour takes long."""
    if scene.seconds == HOUR_S:
        return HOURS
    if scene.case == "edge" or truly_even(scene):
        return FIRST_FAIR
    return FIRST if any(goal.name == "alerted" for goal in goals) else FIRST_UNASKED


def _open(scene: Scene, goals: Sequence[Goal], seen: Sequence[Seen], most: int) -> bool:
    """Some trial went wrong, and not yet so many that the goal is missed however the others end."""
    misses = [_misses(scene, goal, seen) for goal in goals]
    hopeless = any(wrong > goal.most * most for wrong, goal in zip(misses, goals, strict=True))
    doubtful = any(wrong > goal.most * len(seen) for wrong, goal in zip(misses, goals, strict=True))
    return doubtful and not hopeless


def _misses(scene: Scene, goal: Goal, seen: Sequence[Seen]) -> int:
    return sum(_told(scene, each)[goal.name] == goal.wrong_when for each in seen)


def _told(scene: Scene, seen: Seen) -> dict[str, bool]:
    return {
        "alerted": seen.alerted_s is not None and seen.alerted_s <= ALERT_WITHIN_S,
        "wrongly_ended": seen.ended_s is not None and truly_uneven(scene),
        "ever_uneven": seen.uneven_s is not None,
        "ever_even": seen.even_s is not None,
        "recent_uneven": seen.recent_uneven,
        "cause_right": named_right(scene, seen.named),
        "cause_wrong": named_wrong(scene, seen.named),
        "cause_ever_wrong": named_wrong(scene, seen.ever - TOO_EARLY),
    }


def _cell(scene: Scene, goals: Sequence[Goal], seen: Sequence[Seen]) -> Cell:
    told = [_told(scene, each) for each in seen]
    final = Counter(str(each.final) for each in seen)
    alerts = [each.alerted_s for each in seen if each.alerted_s is not None]
    wrong = Counter(code for each in seen for code in each.named if named_wrong(scene, (code,)))
    missed = [goal.name for goal in goals if _misses(scene, goal, seen) > goal.most * len(seen)]
    return Cell(
        scene.case,
        scene.pods,
        scene.picks,
        scene.layer,
        scene.policy,
        scene.warm_up_s,
        scene.processes,
        scene.setting,
        scene.seconds,
        len(seen),
        **{name: sum(each[name] for each in told) / len(told) for name in FIGURES},
        final_verdict=final.most_common(1)[0][0],
        final={kind: count / len(seen) for kind, count in final.items()},
        median_alert_s=median(alerts) if alerts else None,
        median_picks=round(median(each.picks for each in seen), 1),
        wrong_causes=dict(wrong),
        goals=[goal.name for goal in goals],
        missed=missed,
        ok=not missed,
    )


SHORT = tuple(
    Scene(case, layer, policy, 5, 1_000 if case == "hot 2" else 500, SECONDS)
    for layer, policy in (("layer 4", "new"), *((layer, "kept") for layer in get_args(Layer)))
    for case in MAIN
)
"""Telling cells, for a look of some twenty seconds."""


def line(cell: Cell) -> str:
    """One cell as one line of text."""
    what = f"{cell.case:13} {cell.layer:8} {cell.connections:8}{cell.pods:4} pods{cell.picks:7,} picks"
    what += f" {cell.setting}" if cell.setting else ""
    what += f" warm-up {cell.warm_up_s} processes {cell.processes} {cell.seconds:5,} s x{cell.trials:3}"
    short = {"alerted": "alert", "recent_uneven": "recent", "cause_ever_wrong": "ever wrong"}
    figures = " ".join(f"{short.get(name, name)} {100 * getattr(cell, name):.0f}" for name in FIGURES)
    return f"{what}: {figures} {cell.final_verdict} {'ok' if cell.ok else 'MISSED ' + ', '.join(cell.missed)}"


def main(arguments: list[str] | None = None) -> int:
    """Measure every cell, write both files; 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few telling cells; writes the list of cells only")
    parser.add_argument("--pods", type=int, help="only cells with so many pods; the page is left as it is")
    parser.add_argument("--picks", type=int, help="the same with so many picks")
    parser.add_argument("--settings", action="store_true", help="only cells with a setting; the page is left as it is")
    parser.add_argument("--json", type=Path, default=Path("build/power.json"), help="list of cells")
    parser.add_argument("--table", type=Path, default=Path("docs/calibration.md"), help="the page with the table")
    parser.add_argument("--times", type=int, default=1, help="so many times as many trials as usual")
    asked = parser.parse_args(arguments)
    began, cells = time.monotonic(), list[dict[str, Any]]()
    os.nice(10)
    with ProcessPoolExecutor(os.cpu_count(), initializer=die_with_owner, initargs=(os.getpid(),)) as pool:
        for cell in pool.map(partial(measure, times=asked.times), _wanted(asked)):
            print(line(cell), flush=True)
            cells.append(asdict(cell))
    took_s, used = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    asked.json.parent.mkdir(parents=True, exist_ok=True)
    asked.json.write_text(json.dumps(cells, indent=1) + "\n")
    if not (asked.short or asked.pods or asked.picks or asked.settings):
        write_section(asked.table, cells, took_s)
    bad, trials = sum(not cell["ok"] for cell in cells), sum(cell["trials"] for cell in cells)
    cpu_s = used.ru_utime + used.ru_stime
    sys.stderr.write(
        f"{len(cells)} cells, {trials:,} trials, {bad} miss a goal, {took_s:.0f} s, {cpu_s:.0f} s of CPU.\n"
    )
    return 1 if bad else 0


def _wanted(asked: argparse.Namespace) -> list[Scene]:
    every = SHORT if asked.short else scenes()
    return [
        scene
        for scene in every
        if scene.pods == (asked.pods or scene.pods)
        and scene.picks == (asked.picks or scene.picks)
        and (scene.setting or not asked.settings)
    ]


if __name__ == "__main__":
    raise SystemExit(main())
