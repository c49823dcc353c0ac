"""Even, uneven or undecided: what the score means once chance is taken out.

A layer-4 balancer picks a pod per connection, so even a perfect one scatters; see docs/ for the statistics.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictKind(StrEnum):
    EVEN = "EVEN"
    UNEVEN = "UNEVEN"
    UNDECIDED = "UNDECIDED"
    NO_DATA = "NO_DATA"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one window.

    effective_picks: Kish's effective sample size of the connections' requests.
    noise_cv: the CV that chance alone gives; noise_score: the score that it gives.
    long_run_cv: the balancer's own unevenness, chance taken out; cv_low..cv_high its 95 % interval;
    score_low..score_high the same interval as scores.
    p_uneven: chance that a fair balancer looks at least this uneven; p_regular: at most this uneven.
    picks_to_decide: further picks that would decide an UNDECIDED verdict at the present long_run_cv.
    sentence: the verdict for people, complete.
    """

    kind: VerdictKind
    sentence: str
    effective_picks: float | None = None
    noise_cv: float | None = None
    noise_score: float | None = None
    long_run_cv: float | None = None
    cv_low: float | None = None
    cv_high: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    p_uneven: float | None = None
    p_regular: float | None = None
    more_even_than_chance: bool = False
    picks_to_decide: int | None = None
    connections_known: bool = False
