"""Which runs a list shows."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.domain.outline import RunOutline
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import VerdictKind


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Runs that fit every part that is given; None and "" leave a part out.

    target: text in the target's URL, upper and lower case (of ASCII letters) alike. verdict: of the last snapshot.
    baseline: the name that the run is marked with. experiment_of: the run that it was planned to decide.
    marked: True for only those that are marked as a baseline.
    """

    state: RunState | None = None
    source: Source | None = None
    verdict: VerdictKind | None = None
    target: str = ""
    baseline: str = ""
    experiment_of: str = ""
    marked: bool = False

    def fits(self, run: RunOutline) -> bool:
        """True when the list shows this run."""
        verdict = run.headline.verdict if run.headline else None
        pairs = ((self.state, run.state), (self.source, run.source), (self.verdict, verdict))
        return (
            all(wanted is None or wanted is found for wanted, found in pairs)
            and self.target.lower() in run.target_url.lower()
            and self.baseline in ("", run.baseline)
            and self.experiment_of in ("", run.experiment_of)
            and (bool(run.baseline) or not self.marked)
        )


ALL_RUNS = RunFilter()
