"""The exit code of a run that has ended."""

from __future__ import annotations

from collections.abc import Collection

from scale_app.cli.exits import DEFAULT_FAIL_ON, Exit
from scale_app.domain.gating import Outcome
from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind


def verdict_exit(whole: WholeRun, fail_on: Collection[str] = DEFAULT_FAIL_ON) -> Exit:
    """The code of a run that has ended. No data and failure cannot be chosen away: such a run proves nothing."""
    record, outcome = whole.record, whole.gate.outcome
    kind = record.last.verdict.kind if record.last else VerdictKind.NO_DATA
    if record.state in (RunState.FAILED, RunState.INTERRUPTED) or kind is VerdictKind.NO_DATA:
        return Exit.FAILED
    missed = any(check.outcome is Outcome.FAILED for check in whole.gate.checks if check.name != "verdict")
    bad = {
        "uneven": kind is VerdictKind.UNEVEN,
        "threshold": missed,
        "warning": outcome is Outcome.WARNED,
    }
    if any(bad[name] for name in fail_on if name in bad):
        return Exit.UNEVEN
    if "undecided" in fail_on and kind is VerdictKind.UNDECIDED:
        return Exit.UNDECIDED
    return Exit.EVEN
