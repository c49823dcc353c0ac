"""A pod that answered and stops, while it stays ready: seen from when it stopped, whatever came before."""

from dataclasses import replace

import pytest

from scale_app.domain.events import AlertRaised, Event
from scale_app.domain.experiment import decisive_plan
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    CountsSample,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import Snapshot
from scale_app.domain.source import Source
from scale_app.domain.unanswered import silent_pods
from scale_app.domain.verdict import VerdictKind
from tests.fakes_load import observed

PODS = "abcde"
STOPS_S = 10
SECONDS = 30


class Played:
    """Five ready pods, of which e stops answering at STOPS_S. each: requests of a connection, None for kept ones.

    per_s: connections opened in a second, or the number of kept ones. back_s: when it answers again. unready: the
    cluster takes it out of the Service when it stops. spread: requests of all pods are lost, and e answers.
    """

    def __init__(
        self,
        each: int | None,
        per_s: int,
        timeout_s: float = 2.0,
        back_s: int = 99,
        unready: bool = False,
        spread: bool = False,
    ) -> None:
        self._each, self._per_s, self._timeout_s = each, per_s, timeout_s
        self._back_s, self._unready, self._spread = back_s, unready, spread
        self._counts = dict.fromkeys(PODS, PodCount())
        self._lost = 0
        self._long: dict[int, int] = {}
        plan = LoadPlan(duration_s=SECONDS, requests_per_connection=each, timeout_s=timeout_s)
        self.run = Run("run-1", plan, Source.HEADER, 0.0)

    def play(self) -> list[Event]:
        events = observed(self.run, self._pods(0), LoadReady(0.0))
        for second in range(1, SECONDS + 1):
            events += observed(self.run, self._pods(second), self._traffic(second))
        return [*events, *observed(self.run, LoadEnded(float(SECONDS)))]

    @property
    def last(self) -> Snapshot:
        assert self.run.last is not None
        return self.run.last

    def _pods(self, second: int) -> Sample:
        out = self._unready and second > STOPS_S
        return PodsSample(float(second), tuple(PodSeen(name, ready=name != "e" or not out) for name in PODS))

    def _traffic(self, second: int) -> Sample:
        dead = STOPS_S < second <= self._back_s
        if self._each is None:
            self._kept(dead, second)
        else:
            self._renewed(dead, second)
        pods = {name: count for name, count in self._counts.items() if count.requests}
        answered = sum(count.requests for count in pods.values())
        short = {self._each: answered // self._each} if self._each else {}
        loads = ConnectionLoads(short, dict(self._long), switches={})
        errors = {"timeout": self._lost} if self._lost else {}
        return TrafficSample(float(second), 20, answered + self._lost, pods, PodCount(), errors, loads=loads)

    def _renewed(self, dead: bool, second: int) -> None:
        assert self._each is not None
        for name in PODS:
            opened = self._per_s // len(PODS)
            if dead and self._spread:
                self._lost += 1
            if dead and not self._spread and name == "e":
                self._lost += opened if second > STOPS_S + self._timeout_s and not self._unready else 0
            else:
                self._answer(name, opened * self._each, opened)

    def _kept(self, dead: bool, second: int) -> None:
        for connection in range(self._per_s):
            name = PODS[connection % len(PODS)]
            if dead and name == "e":
                if connection in self._long and second > STOPS_S + self._timeout_s:
                    del self._long[connection]
                    self._lost += 1
                    self._counts["e"] = replace(self._counts["e"], unanswered=self._counts["e"].unanswered + 1)
                continue
            self._answer(name, 10, connection not in self._long)
            self._long[connection] = self._long.get(connection, 0) + 10

    def _answer(self, name: str, requests: int, opened: int) -> None:
        count = self._counts[name]
        self._counts[name] = replace(count, requests=count.requests + requests, connections=count.connections + opened)


def alerts(events: list[Event]) -> list[str]:
    return [event.alert.message for event in events if isinstance(event, AlertRaised)]


VARIANTS = {
    "new": (1, 100, 2.0),
    "new, 10 s": (1, 100, 10.0),
    "every 5": (5, 25, 5.0),
    "kept": (None, 60, 2.0),
    "kept, 5 s": (None, 60, 5.0),
    "few kept": (None, 20, 10.0),
}


@pytest.mark.parametrize(("each", "per_s", "timeout_s"), VARIANTS.values(), ids=VARIANTS.keys())
def test_a_ready_pod_that_stops_answering_in_mid_run_is_named_whatever_the_connections(
    each: int | None, per_s: int, timeout_s: float
) -> None:
    played = Played(each, per_s, timeout_s)
    events = played.play()
    assert played.last.verdict.kind is VerdictKind.UNEVEN
    assert "the ready pod e has not answered since 10 s" in played.last.verdict.sentence
    assert "silent_pod" in [finding.code for finding in played.last.findings]
    silent = next(finding for finding in played.last.findings if finding.code == "silent_pod")
    assert silent.pods == ("e",)
    assert silent.evidence.startswith("Since 10 s e answered 0 requests")
    lost = played.last.errors["timeout"]
    assert {pod.name: pod.unanswered for pod in played.last.pods} == dict.fromkeys("abcd", 0) | {"e": lost}
    if per_s > 20:
        assert alerts(events)
        assert played.last.alert is not None
    record = RunRecord("run-1", played.run.plan, Source.HEADER, played.run.state, 0.0, last=played.last)
    assert decisive_plan(record) is None


def test_what_was_waited_for_in_vain_is_in_the_latencies() -> None:
    played = Played(1, 100, 2.0)
    played.play()
    assert played.last.whole_p99_ms == pytest.approx(2_000, rel=0.05)


@pytest.mark.parametrize(
    "played",
    [Played(1, 100, back_s=13), Played(1, 100, unready=True), Played(1, 100, spread=True)],
    ids=["it answers again", "it is not ready", "all pods lose some"],
)
def test_nobody_is_called_silent_who_is_not(played: Played) -> None:
    played.play()
    assert "silent_pod" not in [finding.code for finding in played.last.findings]
    assert "not answer" not in played.last.verdict.sentence
    assert {pod.unanswered for pod in played.last.pods} == {0}


def test_connections_that_fail_at_any_pod_are_no_evidence_against_one() -> None:
    answered, due = {"a": 300, "b": 300, "e": 0}, dict.fromkeys("abe", 1.0)
    theirs, anybodys = (
        silent_pods(answered, due, 12, 20.0, in_vain) for in_vain in ({"e": 12}, {"a": 4, "b": 4, "e": 4})
    )
    plain = silent_pods(answered, due, 12, 20.0)
    assert theirs is not None
    assert anybodys is not None
    assert plain is not None
    assert theirs.evidence > 1e4 * plain.evidence
    assert anybodys.evidence == plain.evidence


def counted_beside(read_to_s: int, stops_s: int = STOPS_S) -> Snapshot:
    """The last snapshot of a run counted by the pods' metrics, of which e's are read until read_to_s."""
    plan = LoadPlan(target_url="http://shop/", duration_s=SECONDS, requests_per_connection=5, counting="prometheus")
    run, pods = Run("run-1", plan, Source.HEADER, 0.0), tuple(PodSeen(name) for name in PODS)
    totals, lost = dict.fromkeys(PODS, 0), 0
    nothing = CountsSample(0.0, Source.PROMETHEUS, totals)
    observed(run, PodsSample(0.0, pods), nothing, LoadReady(0.0))
    for second in range(1, SECONDS + 1):
        silent = second > stops_s
        totals = {name: total + 25 * (name != "e" or not silent) for name, total in totals.items()}
        lost += 5 * silent
        blind = second > read_to_s
        read = {name: total for name, total in totals.items() if name != "e" or not blind}
        gone, why = (("e",), "The counter of pod e could not be read: timed out.") if blind else ((), "")
        counts = CountsSample(second - 0.2, Source.PROMETHEUS, read, unread=gone, problem=why)
        answered = sum(totals.values())
        loads = ConnectionLoads({5: answered // 5}, switches={})
        errors = {"timeout": lost} if lost else {}
        unnamed = PodCount(answered)
        traffic = TrafficSample(float(second), 20, answered + lost, {}, unnamed, errors, loads=loads)
        observed(run, PodsSample(second - 0.5, pods), counts, traffic)
    observed(run, LoadEnded(float(SECONDS)))
    assert run.last is not None
    return run.last


@pytest.mark.parametrize("read_to_s", [STOPS_S, STOPS_S - 7], ids=["to its last answer", "some seconds less"])
def test_a_silent_pods_counter_is_neither_blamed_nor_a_reason_to_say_nothing(read_to_s: int) -> None:
    last = counted_beside(read_to_s)
    assert last.source is Source.PROMETHEUS
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert "the ready pod e has not answered" in last.verdict.sentence
    assert last.balance.score is not None
    assert [finding.code for finding in last.findings] == ["silent_pod"]
    assert {standing.problem for standing in (last.counting.now, *last.counting.considered)} == {""}


def test_a_counter_that_cannot_be_read_of_a_pod_that_answers_is_told() -> None:
    last = counted_beside(read_to_s=20, stops_s=99)
    assert last.counting.now.unread == ("e",)
    assert "could not be read" in last.counting.now.problem
