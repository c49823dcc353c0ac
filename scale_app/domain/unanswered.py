"""Requests that no pod answered: what they leave open, and whether a ready pod that does not answer explains them.

What was not answered is no lack of coverage, it is evidence of its own. Nobody knows whose it was, so the work is
judged for both extremes: none of it belonged to the quiet pods, or all of it did. Where a ready pod answers nothing, or
far too little, and about its share is lost, the pod is the cause: the work is uneven, and the balancer may be fair.
Where no answer at all is good, the run fails.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus

from scale_app.domain import verdict_sentence
from scale_app.domain.balance import CV_THRESHOLD, score_of
from scale_app.domain.judgement import ABOVE, MOST_EVIDENCE
from scale_app.domain.numerics import Array, np
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample
from scale_app.domain.verdict import Verdict, VerdictKind, as_undecided

FAR_TOO_LITTLE = 0.1
ANSWERING_FROM = 0.75
"""The least part of its share that a pod that answers gets at this look. Evidence is against that."""
SILENT_PART = 0.02
ITS_SHARE_FROM = 0.5
LEAST_LOST = 3
THEIRS = 0.95
ONLY_FIRST_FROM = 0.9
"""The least part of the lost requests that are the first on their connection, where pods take these connections."""
DEVIATIONS, WHOLE_WITHIN = 3.0, 0.1
POSSIBLE_FROM, LIKELY_FROM = 3.0, 100.0


@dataclass(frozen=True, slots=True)
class Silent:
    """Pods that answer nothing or far too little. pods: sorted.

    answered, due: requests that they answered, and that the others' answers make due. unserved: requests that no pod
    answered; lost: their part of all requests, 0..1. evidence: e-value against a pod that answers, of the surest among
    them. since_s: they answered until then, in seconds since the load began; None where they never did, or little. All
    of these are of the time since then.
    """

    pods: tuple[str, ...]
    answered: int
    due: float
    unserved: int
    lost: float
    evidence: float
    since_s: float | None = None


def silent_pods(
    answered: Mapping[str, int],
    expected: Mapping[str, float],
    unserved: int,
    picks: float,
    in_vain: Mapping[str, int] | None = None,
    log_all_silent: float = 0.0,
) -> Silent | None:
    """The pods of `expected` (requests due to each) that explain the unserved requests; None when none does.

    answered: by each pod. picks: effective ones behind the answers. in_vain: requests without an answer on connections
    that each pod had answered before. log_all_silent: evidence that connections fell silent by them, see Quiet.
    """
    names = sorted(expected)
    counts = np.array([answered.get(name, 0) for name in names], dtype=float)
    total, due = float(counts.sum()), float(sum(expected.values()))
    if len(names) < 2 or total <= 0 or due <= 0 or unserved < LEAST_LOST:
        return None
    fair = np.array([expected[name] for name in names]) / due
    parts = counts / total
    quiet = parts <= FAR_TOO_LITTLE * fair
    if not quiet.any() or quiet.all() or unserved < _least_lost(float(fair[quiet].sum()), picks):
        return None
    pods = tuple(name for name, is_quiet in zip(names, quiet.tolist(), strict=True) if is_quiet)
    got, share = int(counts[quiet].sum()), float(fair[quiet].sum())
    evidence = float(_log_silent(parts, fair, picks)[quiet].max()) - math.log(len(names))
    evidence += max(log_all_silent, _log_theirs(in_vain or {}, pods, share))
    return Silent(pods, got, total * share, unserved, unserved / (unserved + total), math.exp(min(evidence, 100.0)))


def picks_to_tell(share: float, pods: int, evidence: float) -> int:
    """Picks after which one of so many pods, whose share this is and which gets none, is silent by this evidence."""
    each = math.log((1 - SILENT_PART * share) / (1 - ANSWERING_FROM * share))
    return math.ceil(math.log(evidence * pods) / each)


def pods_unseen(pods: int, picks: float, lost: int) -> int:
    """How many pods beside those that answered would lose so many requests if each got the same share as one of
    them and answered nothing; 0 where no whole number fits.

    pods: that answered. picks: effective ones behind their answers. lost: requests without an answer, each a pick of
    its own. A pod's part of them is a Poisson number, as long as the picks are many.
    """
    if lost < LEAST_LOST or not pods or picks <= 0:
        return 0
    per_pod = picks / pods
    unseen, chance = lost / per_pod, DEVIATIONS * math.sqrt(lost) / per_pod
    whole = max(1, round(unseen))
    return whole if whole <= pods and abs(unseen - whole) <= max(chance, WHOLE_WITHIN) else 0


def filled(counts: Array, fair: Array, unserved: int) -> Array:
    """The counts if all of the unserved requests had belonged to the pods that answered least for their share."""
    level, order = counts / fair, np.argsort(counts / fair, kind="stable")
    # Raise the lowest to the next ones' level, and so on, as far as the requests go.
    widths = np.cumsum(fair[order])
    spent = np.concatenate([[0.0], np.cumsum(widths[:-1] * np.diff(level[order]))])
    last = int(np.searchsorted(spent, unserved, side="right")) - 1
    reached = level[order][last] + (unserved - spent[last]) / widths[last]
    return np.asarray(np.maximum(counts, reached * fair))


def of_silence(verdict: Verdict, silent: Silent) -> Verdict:
    """The verdict on the answers, where pods are silent: uneven, whatever the others got."""
    return replace(
        verdict,
        kind=VerdictKind.UNEVEN,
        sentence=verdict_sentence.silent(silent.pods, silent.lost, silent.since_s),
        cv_low=max(verdict.cv_low or 0.0, CV_THRESHOLD * ABOVE),
        score_high=min(verdict.score_high or 0.0, score_of(CV_THRESHOLD * ABOVE)),
        picks_to_decide=None,
        more_even_than_chance=False,
        every_look=True,
        evidence_uneven=max(verdict.evidence_uneven or 0.0, min(silent.evidence, MOST_EVIDENCE)),
    )


def of_both(without: Verdict, with_all: Verdict, unserved: int) -> Verdict:
    """What holds at both extremes: none of the unserved requests belonged to the quiet pods, or all of them did."""
    held = replace(
        without,
        cv_low=_known(min, without.cv_low, with_all.cv_low),
        cv_high=_known(max, without.cv_high, with_all.cv_high),
        score_low=_known(min, without.score_low, with_all.score_low),
        score_high=_known(max, without.score_high, with_all.score_high),
        evidence_even=_known(min, without.evidence_even, with_all.evidence_even),
        evidence_uneven=_known(min, without.evidence_uneven, with_all.evidence_uneven),
    )
    if without.kind in (with_all.kind, VerdictKind.UNDECIDED):
        return held
    sentence = verdict_sentence.open_by_unserved(unserved, without.kind.value.lower())
    return as_undecided(held, sentence)


def _known(pick: Callable[[Iterable[float]], float], *values: float | None) -> float | None:
    """The least or the most of those that are known."""
    known = [value for value in values if value is not None]
    return pick(known) if known else None


def _least_lost(share: float, picks: float) -> float:
    """Requests that pods with this share of the picks lose at least, chance allowed for, when none comes back."""
    lost = share / (1 - share) * picks
    return ITS_SHARE_FROM * lost - 2 * math.sqrt(lost)


def _log_silent(parts: Array, fair: Array, picks: float) -> Array:
    """Evidence that each pod gets next to nothing, against one that answers most of its share; shape (k,)."""
    silent, answering = SILENT_PART * fair, ANSWERING_FROM * fair
    ratio = parts * np.log(silent / answering) + (1 - parts) * np.log((1 - silent) / (1 - answering))
    return np.asarray(picks * ratio)


def _log_theirs(in_vain: Mapping[str, int], pods: tuple[str, ...], share: float) -> float:
    """Evidence that requests on connections of known pods failed because of these pods, against failures anywhere."""
    theirs = sum(in_vain.get(name, 0) for name in pods)
    others = sum(in_vain.values()) - theirs
    return max(0.0, theirs * math.log(THEIRS / share) + others * math.log((1 - THEIRS) / (1 - share)))


GIVE_UP_AFTER_S = 10.0
WANTS_SIGN_IN = (
    "The service, or a sign-in in front of it, lets only those in whom it knows: give the plan a header that it "
    "accepts, with a secret as ${env:SCALE_SECRET_...}, or write the target as an address behind the sign-in"
)
ADVICE = {
    "connection refused": "Check that the service listens on this port",
    "timeout": "Check that the address is right and that no firewall drops the packets",
    "name not resolved": "Check the host's name and the DNS of this machine",
    "connection reset": "Check what is in front of the service, and its logs",
    "closed early": "Check the service's logs, and whether this port speaks TLS (https://) or HTTP/2",
    "malformed answer": "Check that this port speaks HTTP/1.1",
    **dict.fromkeys(("HTTP 401", "HTTP 403"), WANTS_SIGN_IN),
    "HTTP 415": "Give the plan the Content-Type that the service takes; a gRPC server, too, answers so: its calls need "
    "a locustfile with a gRPC client",
    "HTTP 426": "That port asks for another protocol, as HTTP/2 or WebSocket: give a port that takes HTTP/1.1",
}
UNTRUSTED = (
    "Give the authority that signed the service's certificate (ca_pem) and the name that it is for, or accept any "
    "certificate in a test environment (verify_tls: false)"
)
OTHER_PROTOCOL = {
    "server speaks TLS": "Write the target with https:// (and verify_tls: false for a certificate of its own)",
    "TLS: server speaks plain HTTP": "Write the target with http://, or with the port that speaks TLS",
    "server speaks HTTP/2": (
        "That port takes HTTP/2 alone, as gRPC does, and Scale's own users speak HTTP/1.1: write the target with a "
        "port that takes HTTP/1.1, or send the load by a locustfile with a gRPC or HTTP/2 client"
    ),
}
"""What to set when the target speaks another protocol than the plan; no request will ever be answered."""
SIGNS = {
    "CERTIFICATE_VERIFY_FAILED": UNTRUSTED,
    "WRONG_VERSION_NUMBER": OTHER_PROTOCOL["TLS: server speaks plain HTTP"],
    "RECORD_LAYER_FAILURE": OTHER_PROTOCOL["TLS: server speaks plain HTTP"],
    "NO_APPLICATION_PROTOCOL": OTHER_PROTOCOL["server speaks HTTP/2"],
    "ILLEGAL": (
        "That port does not speak HTTP/1.1: if it speaks TLS, write the target with https://; if it takes HTTP/2 "
        "alone, as gRPC does, give a port that takes HTTP/1.1, or send the load by a locustfile with such a client"
    ),
}
"""What an ordinary client's error contains where a target is not trusted or speaks another protocol."""
PLAIN_TO_TLS = ("sent to HTTPS port", "HTTP request to an HTTPS server")
"""What nginx and Go's servers answer, with status 400, to plain HTTP where TLS is spoken."""
OTHER_PROTOCOL_AFTER_S = 1.0


def reached_nothing(sample: TrafficSample) -> bool:
    """True when requests ended and none of them got a good answer."""
    return sample.requests > 0 and sum(sample.errors.values()) >= sample.requests


def should_give_up(plan: LoadPlan, elapsed_s: float, sample: TrafficSample) -> bool:
    """True when waiting longer would only send more load to a target that gives no good answer."""
    if reached_nothing(sample) and sample.errors.keys() & OTHER_PROTOCOL.keys():
        return elapsed_s >= OTHER_PROTOCOL_AFTER_S
    return elapsed_s >= max(GIVE_UP_AFTER_S, plan.timeout_s + 2) and (sample.requests == 0 or reached_nothing(sample))


def failure_sentence(plan: LoadPlan, sample: TrafficSample | None) -> str:
    """What was tried, what came back, what to do; "" when at least one answer was good."""
    if sample is None or sample.requests == 0:
        return (
            f"No request to {plan.target_url} ended before the run did, so there is nothing to judge. Try a longer run."
        )
    if not reached_nothing(sample):
        return ""
    cause = max(sample.errors, key=lambda name: (name in OTHER_PROTOCOL, sample.errors[name]))
    trust = UNTRUSTED if cause.startswith("TLS: ") else "Check the service's own logs for this time"
    advice = {**ADVICE, **OTHER_PROTOCOL}.get(cause, trust)
    return (
        f"None of {sample.requests:,} requests to {plan.target_url} got a good answer: "
        f"{_causes(sample.errors)}. {advice}, then start again."
    )


def advice_on(error: str) -> str:
    """What to set, from the words of a client's error; "" when these do not tell."""
    return next((f"{advice}." for sign, advice in SIGNS.items() if sign in error.upper()), "")


def advice_on_answer(status: int, body: str) -> str:
    """What to set, from an answer that is none of the service's own; "" for any other."""
    to_tls = status == HTTPStatus.BAD_REQUEST and any(words in body for words in PLAIN_TO_TLS)
    return f"{OTHER_PROTOCOL['server speaks TLS']}." if to_tls else ""


def _causes(errors: Mapping[str, int]) -> str:
    ranked = sorted(errors.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{count:,} x {cause}" for cause, count in ranked)
