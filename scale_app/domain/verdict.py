"""Even, uneven or undecided: what the score means once chance is taken out.

A layer-4 balancer picks a pod per connection, so even a perfect one scatters; docs/statistics.md says how the
verdict allows for that and docs/calibration.md how often it errs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from scale_app.domain import verdict_sentence
from scale_app.domain.balance import THRESHOLD, counted, score_of, shares
from scale_app.domain.judgement import Judgement, Standing, at_every_look, at_one_look, standing_of
from scale_app.domain.judgement import VerdictKind as VerdictKind
from scale_app.domain.picks import Loads, Unit, picks_of

COVERAGE_FLOOR = 0.95
DECIDED = frozenset({VerdictKind.EVEN, VerdictKind.UNEVEN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one window.

    effective_picks: independent decisions of the balancer that the counts are worth, see domain/picks.py.
    unit: what decided, "connection", "request" or, between the two, "pick"; "" where nothing is judged.
    noise_cv, noise_score: the CV and the score of a fair random balancer.
    every_look: the verdict holds at every look, however often one looks; False for the narrower interval of one look at
        the end of a run that took its time.
    evidence_even, evidence_uneven: e-values for the two verdicts, such as 250 for "250 to 1"; None at one look. At any
        look, ever, a fair balancer brings evidence_uneven to so much with a probability of at most 1 / so much.
    long_run_cv: the balancer's own unevenness, chance taken out; cv_low..cv_high its interval, of 95 % at one look;
    score_low..score_high the same interval as scores.
    p_uneven: chance that a fair balancer looks at least this uneven at one look; p_regular: at most this uneven.
    more_even_than_chance: round robin and least connections are; their interval is the observed CV and half a pick.
    picks_to_decide: further ones of `unit`, like those so far, that would decide an UNDECIDED verdict: at the present
        long_run_cv when that is beyond chance, else if the balancer is fair, and fewer if it is not; None when it is
        decided, more would hardly help, or none will come.
    connections_known: False when each request had to be taken for a pick, so the verdict may be too sure.
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
    unit: Unit | Literal[""] = ""
    every_look: bool = False
    evidence_even: float | None = None
    evidence_uneven: float | None = None


def judge(
    requests: Sequence[float],
    loads: Loads | Mapping[int, int] | None,
    coverage: float,
    expected: Sequence[float] | None = None,
    by_request: bool = False,
    roster_known: bool = True,
    names: Sequence[str] = (),
) -> Verdict:
    """The verdict of one look at a window. Pure, total, at most about 20 ms, mostly below 1 ms. Raises nothing.

    requests: per eligible pod, shape (k,), zeros included. loads: {what each connection did: connections}, or
    {requests carried: connections} where none switched pods; None when unknown. coverage: answers ascribed to a pod
    over answers, 0..1. expected: shape (k,), shares above 0 in any unit, equal when None. by_request: the source itself
    picks for each request. roster_known: see Window. names: of the pods, for the sentence; () when unknown.
    """
    standing = _standing(requests, loads, coverage, expected, by_request, roster_known, names)
    return standing if isinstance(standing, Verdict) else _verdict(standing, at_one_look(standing))


def judge_at_any_time(
    requests: Sequence[float],
    loads: Loads | Mapping[int, int] | None,
    coverage: float,
    expected: Sequence[float] | None = None,
    by_request: bool = False,
    roster_known: bool = True,
    names: Sequence[str] = (),
    log_regular: float = 0.0,
    sliding: bool = False,
) -> Verdict:
    """The verdict that holds at every look. Pure, total, mostly below 2 ms. Raises nothing.

    log_regular: evidence that picks are spread more evenly than chance, see evidence.py. sliding: the window moves
    along with the clock. The rest: see `judge`.
    """
    standing = _standing(requests, loads, coverage, expected, by_request, roster_known, names)
    if isinstance(standing, Verdict):
        return replace(standing, every_look=True)
    return _verdict(standing, at_every_look(standing, log_regular, sliding), every_look=True)


def settled(at_end: Verdict, any_time: Verdict) -> Verdict:
    """The last verdict of a run that took its time: of one look, unless only the evidence of all looks decides."""
    open_at_end = at_end.kind is VerdictKind.UNDECIDED and any_time.kind is not VerdictKind.UNDECIDED
    return any_time if open_at_end else at_end


def _standing(
    requests: Sequence[float],
    loads: Loads | Mapping[int, int] | None,
    coverage: float,
    expected: Sequence[float] | None,
    by_request: bool,
    roster_known: bool,
    names: Sequence[str],
) -> Standing | Verdict:
    """What there is to judge, or the verdict where there is nothing."""
    counts = counted(requests)
    pods, total = counts.size, int(counts.sum())
    if not total:
        return Verdict(VerdictKind.NO_DATA, verdict_sentence.NO_REQUEST)
    if not coverage >= COVERAGE_FLOOR:
        known = coverage if coverage > 0 else 0.0
        return Verdict(VerdictKind.NO_DATA, verdict_sentence.poor_coverage(known, COVERAGE_FLOOR))
    if pods == 1 and not roster_known:
        return Verdict(VerdictKind.UNDECIDED, verdict_sentence.ONE_ANSWERED)
    picks = picks_of(total, loads, by_request, counts / total)
    return standing_of(counts / total, shares(pods, expected), picks, roster_known, names)


def _verdict(standing: Standing, found: Judgement, every_look: bool = False) -> Verdict:
    picks = standing.picks
    more = verdict_sentence.more_of(picks, found.needed)
    return Verdict(
        found.kind,
        verdict_sentence.sentence_of(standing, found, more, every_look),
        effective_picks=picks.effective,
        noise_cv=standing.noise_cv,
        noise_score=score_of(standing.noise_cv),
        long_run_cv=min(max(standing.long_run_cv, found.cv_low), found.cv_high),
        cv_low=found.cv_low,
        cv_high=found.cv_high,
        score_low=score_of(found.cv_high),
        score_high=score_of(found.cv_low),
        p_uneven=found.p_uneven,
        p_regular=found.p_regular,
        more_even_than_chance=found.regular,
        picks_to_decide=more,
        connections_known=picks.known,
        unit=picks.unit,
        every_look=every_look,
        evidence_even=found.evidence_even,
        evidence_uneven=found.evidence_uneven,
    )


SCORE_ERROR = 0.05
"""How far a score from estimated counts is off at pods that get nothing but this run's requests.

Other traffic of a pod, its probes included, cannot be told from it and moves the score further, mostly towards even.
"""

TOO_ROUGH = (
    "Undecided: the counts are estimates, which can shift the score by 0.05 or more, too much to tell even "
    "from uneven here. Count by an exact source."
)


def as_estimate(verdict: Verdict) -> Verdict:
    """The verdict with the estimate's error allowed for: EVEN cannot be shown, UNEVEN only by a clear margin."""
    clear = verdict.score_high is not None and verdict.score_high < THRESHOLD - SCORE_ERROR
    if verdict.kind is VerdictKind.EVEN or (verdict.kind is VerdictKind.UNEVEN and not clear):
        return as_undecided(verdict, TOO_ROUGH)
    return verdict


def as_undecided(verdict: Verdict, sentence: str) -> Verdict:
    """The verdict left open by something that more picks do not tell. sentence: what that is."""
    return replace(verdict, kind=VerdictKind.UNDECIDED, sentence=sentence, picks_to_decide=None)
