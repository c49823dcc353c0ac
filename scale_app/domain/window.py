"""What happened between two moments of a run, and the figures of that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from scale_app.domain import verdict_sentence
from scale_app.domain.balance import Balance, balance
from scale_app.domain.ejection import Ejection
from scale_app.domain.histogram import Histogram
from scale_app.domain.judgement import SLIDING_FROM, UNEVEN_FROM
from scale_app.domain.numerics import np
from scale_app.domain.picks import BY_REQUEST_FROM, Loads, freshness_of, kept
from scale_app.domain.rise import Rise
from scale_app.domain.samples import PodCount
from scale_app.domain.unanswered import ONLY_FIRST_FROM, Silent, filled, of_both, of_silence, pods_unseen, silent_pods
from scale_app.domain.verdict import Verdict, VerdictKind, as_estimate, as_undecided, judge, judge_at_any_time, settled

OTHERS_IGNORED_TO = 0.01  # of ours: health probes and the like
SHORTEST_S = 1e-6
NO_SCORE = "no data yet"


@dataclass(frozen=True)
class Window:
    """What happened between two marks. Without slots, so that its verdict is computed once, when it is asked for.

    pods: by name, every pod that answered or could have. expected: requests each eligible pod could have got.
    loads: what each connection did in the window, None when connections are unknown. by_request: the source, or a
        sample of an earlier version, says that the balancer picks for each request.
    due: answers that the counts should hold: those that had been given when they were read, errors in a pod's place
        apart. most: requests of ours that they may hold: those that had ended then.
    unserved: requests that no pod answered, as far as is known.
    redirects: answers that lead elsewhere, and name no pod.
    estimated: the counts are estimates. log_regular: see Mark. sliding: it moves along with the clock.
    roster_known: which pods should share is known; False where `expected` holds those that answered.
    arriving: pods that have just become ready, of which nothing is expected yet.
    weights: that the balancer gave the pods at the window's end, {} when unknown. by_weight: requests that its weights,
        as they were at each time, made due to each eligible pod; {} where they never differed.
    quiet: pods that answered until the window began, and have not since. since_s: when that was, in seconds since the
        load began. starts: how often they had been picked by then, each time a silence could have begun.
        log_all_silent: evidence that connections which fell silent were theirs, see Quiet.
    """

    seconds: float
    requests: int
    failures: int
    pods: Mapping[str, PodCount]
    expected: Mapping[str, float]
    latency: Histogram
    loads: Loads | None
    by_request: bool
    due: float
    most: float
    redirects: int = 0
    unserved: int = 0
    estimated: bool = False
    log_regular: float = 0.0
    sliding: bool = False
    roster_known: bool = True
    arriving: int = 0
    weights: Mapping[str, float] = field(default_factory=dict)
    by_weight: Mapping[str, float] = field(default_factory=dict)
    quiet: tuple[str, ...] = ()
    since_s: float | None = None
    starts: int = 1
    log_all_silent: float = 0.0

    @property
    def others(self) -> int:
        """Requests in the counts beyond ours: other clients', or none."""
        return max(0, round(self.attributed - self.most))

    @property
    def eligible(self) -> list[str]:
        """Pods that should have shared the work, those with no request included; sorted."""
        return sorted(self.expected)

    @property
    def only_redirected(self) -> bool:
        """No pod is known to have answered, and most answers are redirects: what gives them stands in front of it."""
        return not self.attributed and 2 * self.redirects > self.due

    @cached_property
    def freshness(self) -> float:
        """Of the answers that had one before them on their connection, the part that was a pick of its own, 0..1."""
        if self.by_request:
            return 1.0
        total = self.attributed
        return (
            freshness_of(self.loads or {}, [count.requests / total for count in self.pods.values()]) if total else 0.0
        )

    @cached_property
    def attributed(self) -> int:
        return sum(count.requests for count in self.pods.values())

    @property
    def balance(self) -> Balance:
        """The headline now."""
        return self._judged_now[0]

    @property
    def verdict(self) -> Verdict:
        """The verdict now, which holds at every look."""
        return self._judged_now[1]

    @cached_property
    def _judged_now(self) -> tuple[Balance, Verdict]:
        return self.judged()

    def judged(self, at_end: bool = False) -> tuple[Balance, Verdict]:
        """Headline and verdict of the window. Where too few answers named a pod to judge there is no score either.

        at_end: this is the one look that was fixed in advance, after a run that took its time.
        """
        counts = [self.pods[name].requests for name in self.eligible]
        verdict = self._verdict(counts, self._picks(), at_end)
        if verdict.kind is VerdictKind.NO_DATA:
            if not self.attributed and round(self.due):
                verdict = replace(verdict, sentence=self._none_named())
            return Balance(len(counts), sum(counts), note=NO_SCORE), verdict
        if len(counts) == 1 and self.arriving:
            verdict = as_undecided(verdict, verdict_sentence.one_pod_and_new_ones(self.arriving))
        if self.unserved and len(counts) > 1:
            verdict = self._with_unserved(verdict, counts, at_end)
        return balance(counts, self._shares()), as_estimate(verdict) if self.estimated else verdict

    def silent(self, picks: float | None) -> Silent | None:
        """The ready pods whose silence explains what was not answered; None for none. picks: of its verdict."""
        if not self.unserved:
            return None
        answered = {name: self.pods[name].requests for name in self.eligible}
        in_vain = {name: self.pods[name].unanswered for name in self.eligible}
        if not self.quiet:
            return silent_pods(answered, self.expected, self.unserved, picks or 0.0, in_vain)
        made = (picks or 0.0) * self._made_since
        silent = silent_pods(answered, self.expected, self.unserved, made, in_vain, self.log_all_silent)
        if silent is None:
            return None
        return replace(silent, evidence=silent.evidence / self.starts, since_s=self.since_s)

    @property
    def _made_since(self) -> float:
        """The part of the picks that were made since the window began. A connection of before has a chance to be
        another pod's with each of its answers."""
        loads = self.loads or {}
        old = sum(n for load, n in loads.items() if load.chances >= load.requests)
        return 1.0 - (1.0 - self.freshness) * old / max(1, sum(loads.values()))

    def silence(self, picks: float | None) -> Silent | None:
        """The same, where the evidence is enough for a verdict."""
        silent = self.silent(picks)
        return silent if silent and silent.evidence >= (SLIDING_FROM if self.sliding else UNEVEN_FROM) else None

    def unseen(self, picks: float | None) -> int:
        """How many pods that never answered may be there, where nobody tells which should; 0 for none that shows.

        Where a connection keeps to its pod, such a pod loses the first request of each of its own alone."""
        first = self.unserved - sum(count.unanswered for count in self.pods.values())
        lost = self.unserved if self.freshness >= BY_REQUEST_FROM else first
        if self.roster_known or self.quiet or lost < ONLY_FIRST_FROM * self.unserved:
            return 0
        return pods_unseen(len(self.expected), picks or 0.0, lost)

    def _none_named(self) -> str:
        if self.only_redirected:
            return verdict_sentence.all_redirected(self.redirects, round(self.due))
        return verdict_sentence.none_named(round(self.due))

    def _shares(self) -> list[float]:
        return [self.expected[name] for name in self.eligible]

    def _verdict(self, counts: Sequence[float], picks: Loads | None, at_end: bool) -> Verdict:
        coverage = self.attributed / self.due if self.due else 0.0
        if self.quiet:  # what a pod that does not answer had counted last is out of reach
            coverage = 1.0
        given = (counts, picks, coverage, self._shares(), self.by_request, self.roster_known, self.eligible)
        verdict = judge_at_any_time(*given, log_regular=self.log_regular, sliding=self.sliding)
        return settled(judge(*given), verdict) if at_end else verdict

    def _with_unserved(self, verdict: Verdict, counts: list[int], at_end: bool) -> Verdict:
        """The verdict with what nobody answered taken into account."""
        silent = self.silence(verdict.effective_picks)
        if silent is not None:
            return of_silence(verdict, silent)
        if verdict.kind is not VerdictKind.UNEVEN and (unseen := self.unseen(verdict.effective_picks)):
            return as_undecided(verdict, verdict_sentence.open_by_unseen(self.unserved, len(counts), unseen))
        shares = np.array(self._shares())
        others = filled(np.array(counts, dtype=float), shares / shares.sum(), self.unserved)
        loads = self._picks()
        if loads is not None:
            loads = {**loads, kept(1): loads.get(kept(1), 0) + self.unserved}
        return of_both(verdict, self._verdict(others.tolist(), loads, at_end), self.unserved)

    def _picks(self) -> Loads | None:
        """The connections' loads. Of other clients nothing is known, so they count as one connection: no evidence."""
        others = self.others
        if self.loads is None or others <= OTHERS_IGNORED_TO * self.due:
            return self.loads
        return {**self.loads, kept(others): self.loads.get(kept(others), 0) + 1}

    def per_second(self, count: int) -> float:
        """A rate; 0 where nothing can be told, since hardly any time has passed."""
        return count / self.seconds if self.seconds >= SHORTEST_S else 0.0


@dataclass(frozen=True)
class Figures:
    """Everything computed from the counters at one sample.

    whole: since the start or the end of the warm-up. balance, verdict: of it, at the run's end those of the one look.
    recent, minute: the last RECENT_S and MINUTE_S of it. since_alert: since the last alert on the balance was over, the
    whole before any was. with_warm_up: since the load began; its connections are not followed. quiet: since pods have
    stopped answering. ejections: of pods that failed and got nothing after that, times in seconds since the load began.
    rises: of pods that came in mid-run.
    """

    whole: Window
    balance: Balance
    verdict: Verdict
    recent: Window
    minute: Window
    since_alert: Window
    with_warm_up: Window
    quiet: tuple[Window, ...] = ()
    ejections: Mapping[str, Ejection] = field(default_factory=dict)
    rises: Mapping[str, Rise] = field(default_factory=dict)

    @cached_property
    def silent(self) -> Silent | None:
        """Ready pods whose silence explains best what was not answered; None for none.

        What the warm-up lost counts where nothing is lost any more: users whose connections failed keep others then.
        """
        picks = self.verdict.effective_picks
        found = (
            *(window.silent(window.verdict.effective_picks) for window in self.quiet),
            *(window.silent(picks) for window in (self.whole, self.with_warm_up)),
        )
        return max((silent for silent in found if silent), key=lambda silent: silent.evidence, default=None)


def with_silence(whole: Window, judged: tuple[Balance, Verdict], quiet: Sequence[Window]) -> tuple[Balance, Verdict]:
    """What was judged of the whole, with pods taken into account that answered and have stopped."""
    found = [silent for window in quiet if (silent := window.silence(window.verdict.effective_picks))]
    if not found:
        return judged
    if judged[1].kind is VerdictKind.NO_DATA:  # their last answers went with their counters
        judged = replace(whole, due=whole.attributed).judged()
    return judged[0], of_silence(judged[1], max(found, key=lambda silent: silent.evidence))
