"""The thresholds that a pipeline asks of a run, each with a level that warns and one that fails.

Whether a run reached them: `domain/gating.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import is_number

Doubt = Literal["uneven", "undecided"]
DOUBTS: tuple[Doubt, ...] = ("uneven", "undecided")
LONGEST_BASELINE = 80


@dataclass(frozen=True, slots=True)
class VerdictLevels:
    """Verdicts that warn and verdicts that fail: "uneven", "undecided"."""

    warn: tuple[Doubt, ...] = ()
    fail: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Levels:
    """The figure that warns and the figure that fails; null for none."""

    warn: float | None = None
    fail: float | None = None


@dataclass(frozen=True, slots=True)
class Gate:
    """The thresholds of a run. Figures are those since the start or the end of the warm-up.

    verdict: verdicts that are not accepted; unless it is given, uneven fails and undecided warns.
    score: the lowest accepted score, 0..1.
    pod_share: the largest accepted share of one pod, 0..1.
    p95_ms, p99_ms: the highest accepted latency, of all answers and timeouts.
    failure_share: the largest accepted part of the requests that failed, 0..1.
    pods: how many pods there must be; fewer ready ones at the end fail, or, where the target's pods cannot be known,
        fewer that answered. null for any number.
    baseline: name of a baseline; this run must not be worse than it by more than chance. "" for none.

    Raises PlanError for the first level that cannot be used.
    """

    verdict: VerdictLevels = VerdictLevels(warn=("undecided",), fail=("uneven",))
    score: Levels = field(default_factory=Levels)
    pod_share: Levels = field(default_factory=Levels)
    p95_ms: Levels = field(default_factory=Levels)
    p99_ms: Levels = field(default_factory=Levels)
    failure_share: Levels = field(default_factory=Levels)
    pods: int | None = None
    baseline: str = ""

    def __post_init__(self) -> None:
        for verdict in (*self.verdict.warn, *self.verdict.fail):
            if verdict not in DOUBTS:
                raise PlanError("gate.verdict", verdict, f"one of {', '.join(DOUBTS)}")
        for name in ("score", "pod_share", "failure_share"):
            _check(name, getattr(self, name), 0.0, 1.0, highest_fails=name != "score")
        for name in ("p95_ms", "p99_ms"):
            _check(name, getattr(self, name), 0.001, 86_400_000.0, highest_fails=True)
        if self.pods is not None and not (isinstance(self.pods, int) and self.pods is not True and self.pods >= 1):
            raise PlanError("gate.pods", self.pods, "a whole number of at least 1")
        if not isinstance(self.baseline, str) or len(self.baseline) > LONGEST_BASELINE:
            raise PlanError("gate.baseline", self.baseline, "the name of a baseline")


def _check(name: str, levels: Levels, least: float, most: float, highest_fails: bool) -> None:
    for level, value in (("warn", levels.warn), ("fail", levels.fail)):
        if value is None:
            continue
        if not is_number(value) or not least <= value <= most:
            raise PlanError(f"gate.{name}.{level}", value, f"a number from {least:g} to {most:,.0f}")
    if levels.warn is None or levels.fail is None:
        return
    if levels.warn > levels.fail if highest_fails else levels.warn < levels.fail:
        side = "at most" if highest_fails else "at least"
        raise PlanError(f"gate.{name}.warn", levels.warn, f"{side} the level that fails, {levels.fail:.10g}")
