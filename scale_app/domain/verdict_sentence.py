"""The verdict in one sentence for people: short, with numbers they can check."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scale_app.domain.balance import score_of
from scale_app.domain.judgement import Judgement, Standing, VerdictKind
from scale_app.domain.picks import Picks

MOST_ODDS = 1e6
PODS_NAMED = 3
OPEN_BY_CHANCE = "Undecided after "
"""So begins what more picks may decide, and nothing else."""
NO_REQUEST = "No data: no pod has answered a request."
HOW_TO_NAME = (
    "Let each pod send its name in a response header (pod_header in the plan), or let Scale count at the pods of a "
    "Service (SCALE_KUBE_CONFIG)."
)
REDIRECTED = (
    "Scale follows none: a sign-in in front of the pods may give them, or a proxy that wants https or another path. "
    "Write the target as the address where they lead or one behind the sign-in, or give the plan a header that it "
    "accepts."
)
ONE_POD = "Even: there is one pod, so nothing to share."
HOW_TO_KNOW = "Let Scale read the cluster (SCALE_KUBE_CONFIG), and name the Service in the plan (service)."
ONE_ANSWERED = f"Undecided: only one pod answered; whether there are more is unknown. {HOW_TO_KNOW}"


def one_pod_and_new_ones(new: int) -> str:
    """One pod has shared so far, and others have just become ready."""
    return f"Undecided: one pod has answered so far, and {count(new, 'more pod')} became ready a moment ago."


def none_named(answers: int) -> str:
    """Requests were answered, and no answer told by which pod."""
    were = "was" if answers == 1 else "were"
    return f"No data: {count(answers, 'request')} {were} answered, but none named a pod. {HOW_TO_NAME}"


def all_redirected(redirects: int, answers: int) -> str:
    """Most answers led elsewhere, and none told by which pod."""
    return f"No data: {redirects:,} of {count(answers, 'answer')} were redirects, and none named a pod. {REDIRECTED}"


def poor_coverage(coverage: float, floor: float) -> str:
    """Too few answers named a pod. coverage, floor: 0..1."""
    return (
        f"No verdict: only {math.floor(coverage * 100)} % of answers named a pod, "
        f"and below {floor * 100:.0f} % the rest could change it."
    )


def sentence_of(standing: Standing, found: Judgement, more: int | None, every_look: bool) -> str:
    """The verdict on what was counted. more: further picks that would decide."""
    if not standing.df:
        return ONE_POD
    if found.kind is VerdictKind.EVEN:
        return even(standing, found, every_look)
    if found.kind is VerdictKind.UNEVEN:
        return uneven(standing, _odds(found.evidence_uneven) if found.evidence_uneven else _p(found.p_uneven))
    picks = standing.picks
    if found.regular:
        why = "they are spread more evenly than chance (round robin or least connections)"
    else:
        why = f"a fair random balancer would score about {score_of(standing.noise_cv):.2f}"
    further = f"; the score is so close to 0.95 that more {picks.unit}s will hardly decide" if more is None else ""
    return f"{OPEN_BY_CHANCE}{count(picks.total, picks.unit)}: {why}{further}."


def more_of(picks: Picks, needed: float | None) -> int | None:
    """Further ones of the picks' unit until there are as many effective picks as needed."""
    if needed is None:
        return None
    return max(1, math.ceil((needed - picks.effective) * picks.total / picks.effective - 1e-6))


def even(standing: Standing, found: Judgement, every_look: bool) -> str:
    """Every score of the interval is good."""
    at_least = f"the score is at least {math.floor(score_of(found.cv_high) * 100 + 1e-9) / 100:.2f}"
    among, whom = _whom(standing)
    if found.regular:
        how = f"{whom} get their fair share (round robin or least connections)"
        return f"More even than chance{among}: {how}; {at_least}."
    if found.beyond_chance:
        return f"Even{among}: the pods differ by more than chance, but by too little to matter; {at_least}."
    sure = "at every look" if every_look else "with 95 % confidence"
    return f"Even{among}: {whom} are within chance of their fair share; {at_least} {sure}."


def _whom(standing: Standing) -> tuple[str, str]:
    """Among which pods work is even, where others may be missing; and who gets a fair share."""
    pods = standing.fair.size
    if not standing.roster_known:
        return f" among the {pods:,} pods that answered; how many should have answered is unknown", "these"
    return "", "both pods" if pods == 2 else f"all {pods:,} pods"


def uneven(standing: Standing, sure: str) -> str:
    """The pod that is furthest from its share, by name where it is known. sure: how far that is from chance."""
    part, fair = float(standing.parts[standing.worst]), float(standing.fair[standing.worst])
    unnamed = "the busiest pod" if part > fair else "the pod with the least work"
    pod = f"pod {standing.names[standing.worst]}" if standing.names else unnamed
    got, due = percents(part, fair)
    return f"Uneven: {pod} gets {got}, fair is {due}; {sure}."


def _p(p: float) -> str:
    return f"chance does not explain that ({'p < 0.001' if p < 0.001 else f'p = {p:.2g}'})"


def _odds(evidence: float) -> str:
    """Of an e-value, which a fair balancer reaches at any look with a probability of at most one over it."""
    if evidence >= MOST_ODDS:
        return f"under 1 in {MOST_ODDS:,.0f} fair balancers is ever this uneven"
    digits = 2 - len(str(int(evidence)))
    return f"at most 1 in {round(int(evidence), digits):,} fair balancers is ever this uneven"


def silent(pods: Sequence[str], lost: float, since_s: float | None = None) -> str:
    """Ready pods that do not answer. lost: the part of all requests that was not answered, 0..1.

    since_s: they answered until then, and lost is of the requests since; None if they never did.
    """
    share, _ = percents(lost, 0.0)
    named = pods_named(pods)
    whom = f"the ready pod {named}" if len(pods) == 1 else f"the ready pods {named}"
    if since_s is None:
        what = f"{'does' if len(pods) == 1 else 'do'} not answer, and {share} of all requests got no answer"
    else:
        has = "has" if len(pods) == 1 else "have"
        what = f"{has} not answered since {since_s:.0f} s, and {share} of all requests since then got no answer"
    return f"Uneven: {whom} {what}; the balancer itself may be fair."


def pods_named(pods: Sequence[str], most: int = PODS_NAMED) -> str:
    """The first of them, and how many more there are."""
    more = len(pods) - most
    return ", ".join(pods[:most]) + (f" and {more} more" if more > 0 else "")


def open_by_unserved(unserved: int, otherwise: str) -> str:
    """Nobody knows whose requests those were that got no answer. otherwise: the verdict if none was a quiet pod's."""
    return (
        f"Undecided: {count(unserved, 'request')} got no answer, and it is unknown to which pods they were sent. "
        f"The work is {otherwise} if none was sent to the pods that answered least, and may not be if all were."
    )


def open_by_unseen(lost: int, pods: int, unseen: int) -> str:
    """As many requests were lost as would have been by pods that never answer, and who should is unknown."""
    those = "one more pod that does not answer" if unseen == 1 else f"{unseen} more pods that do not answer"
    return (
        f"Undecided: {count(lost, 'request')} got no answer, as many as {those} would lose beside the {pods:,} that "
        f"do. {HOW_TO_KNOW}"
    )


def undecided_by_names(names: Sequence[str]) -> str:
    """The pods that answered share as they should, but there is work that was meant for names that none of them has."""
    return f"Undecided: the pods that answered share as meant, but work is meant for {pods_named(names)} as well."


def count(number: int, unit: str) -> str:
    """A number with its unit, singular or plural."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def rounded(number: int) -> int:
    """To three significant digits: an estimate should look like one."""
    return round(number, 3 - len(str(number))) if number >= 1000 else number


def percents(part: float, fair: float) -> tuple[str, str]:
    """Two shares as percentages with as few digits as tell them apart."""
    for digits in (2, 3, 4, 5):
        got, due = _percent(part, digits), _percent(fair, digits)
        if got != due:
            break
    return got, due


def _percent(share: float, digits: int) -> str:
    value = share * 100
    if 0 < value < 0.001:
        return "under 0.001 %"
    decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(value)))
    text = f"{value:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def milliseconds(latency_ms: float) -> str:
    """A latency with three significant digits at most."""
    return f"{three_digits(latency_ms)} ms"


def three_digits(value: float) -> str:
    """At least three significant digits, and never a power of ten: 0.25, 12.5, 12,345."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
