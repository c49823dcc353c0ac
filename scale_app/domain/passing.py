"""May a pipeline go on after a run? One rule for exit codes and for the API. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

from scale_app.domain.errors import PlanError
from scale_app.domain.gating import GateResult, Outcome
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind

FAIL_ON = ("uneven", "undecided", "threshold", "warning")
DEFAULT_FAIL_ON = ("uneven", "undecided", "threshold")
NEVER = "never"


class Passing(StrEnum):
    """missed: uneven, or a threshold was missed. unproven: no data, or the run failed."""

    PASSED = "passed"
    MISSED = "missed"
    UNDECIDED = "undecided"
    UNPROVEN = "unproven"


def passing(record: RunRecord, gate: GateResult, fail_on: Collection[str] = DEFAULT_FAIL_ON) -> Passing:
    """Of a run that has ended. No data and failure cannot be disabled: such a run proves nothing."""
    kind = record.last.verdict.kind if record.last else VerdictKind.NO_DATA
    if record.state in (RunState.FAILED, RunState.INTERRUPTED) or kind is VerdictKind.NO_DATA:
        return Passing.UNPROVEN
    missed = any(check.outcome is Outcome.FAILED for check in gate.checks if check.name != "verdict")
    warned = gate.outcome is not Outcome.PASSED
    bad = {"uneven": kind is VerdictKind.UNEVEN, "threshold": missed, "warning": warned}
    if any(bad[name] for name in fail_on if name in bad):
        return Passing.MISSED
    if "undecided" in fail_on and kind is VerdictKind.UNDECIDED:
        return Passing.UNDECIDED
    return Passing.PASSED


def fail_on_of(text: str, name: str = "--fail-on") -> frozenset[str]:
    """What must not be, from words separated by commas. name: what the text was given as. Raises PlanError."""
    parts = frozenset(part.strip() for part in text.split(","))
    if parts == {NEVER}:
        return frozenset()
    if not parts <= set(FAIL_ON):
        raise PlanError(name, text, f"one or more of {', '.join(FAIL_ON)} separated by commas, or {NEVER}")
    return parts
