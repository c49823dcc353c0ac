"""A target of which only the pods that answer are known: what is said of the others, live, at the end and in replay."""

from __future__ import annotations

import pytest

from scale_app.domain.events import AlertRaised
from scale_app.domain.experiment import decisive_plan, no_experiment_sentence
from scale_app.domain.gate import Gate, VerdictLevels
from scale_app.domain.gating import Outcome
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import Began, WholeRun, replayed
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    TrafficSample,
)
from scale_app.domain.snapshot import Snapshot, Source
from scale_app.domain.verdict import VerdictKind, judge
from scale_app.views.sentences import findings_note
from tests.recorded import analysed

SECONDS = 12
NOT_KNOWN = "how many should have answered is unknown"


def ran(*per_s: int, listed: tuple[str, ...] = (), gate: Gate | None = None, every_look: bool = False) -> WholeRun:
    """Pods a, b, c ... answer so many requests each second, each on a connection of its own."""
    plan = LoadPlan(
        "http://198.18.0.9/", duration_s=SECONDS, gate=gate or Gate(), until="decided" if every_look else "duration"
    )
    samples: list[Sample] = [PodsSample(0.0, tuple(map(PodSeen, listed)))] if listed else []
    samples += [LoadReady(0.0), *(traffic(second, per_s) for second in range(1, SECONDS + 1)), LoadEnded(SECONDS)]
    return analysed(Began(plan, Source.HEADER, 0.0), samples)


def traffic(second: int, per_s: tuple[int, ...]) -> TrafficSample:
    pods = {name: PodCount(n * second, connections=n * second) for name, n in zip("abcdef", per_s, strict=False) if n}
    total = sum(per_s) * second
    return TrafficSample(
        float(second), 50, total, pods, connections=total, loads=ConnectionLoads({1: total}, switches={})
    )


def last(whole: WholeRun) -> Snapshot:
    assert whole.record.last is not None
    again = replayed(whole).record.last
    assert again == whole.record.last
    return again


def test_one_pod_that_answered_is_undecided_and_says_how_to_let_scale_know() -> None:
    snapshot = last(ran(400))
    assert snapshot.verdict.kind is VerdictKind.UNDECIDED
    for verdict in (snapshot.verdict, snapshot.recent_verdict, snapshot.minute_verdict):
        assert "only one pod answered; whether there are more is unknown" in verdict.sentence
        assert "SCALE_KUBE_CONFIG" in verdict.sentence
        assert "service" in verdict.sentence
    assert (snapshot.balance.score, snapshot.balance.grade, snapshot.roster_known) == (1.0, "A", False)


def test_one_pod_that_answered_has_no_cause_and_no_experiment() -> None:
    record = ran(400).record
    assert decisive_plan(record) is None
    assert "only one pod answered" in no_experiment_sentence(record)
    assert findings_note(last(ran(400))) == ""


def test_a_known_roster_of_one_pod_is_even() -> None:
    snapshot = last(ran(400, listed=("a",)))
    assert snapshot.verdict.sentence == "Even: there is one pod, so nothing to share."
    assert snapshot.roster_known


@pytest.mark.parametrize("every_look", [True, False])
def test_even_is_said_of_those_that_answered(every_look: bool) -> None:
    unknown, known = (last(ran(4_000, 4_000, listed=names, every_look=every_look)) for names in ((), ("a", "b")))
    assert unknown.verdict.kind is known.verdict.kind is VerdictKind.EVEN
    assert f" among the 2 pods that answered; {NOT_KNOWN}: these " in unknown.verdict.sentence
    assert NOT_KNOWN not in known.verdict.sentence
    assert unknown.balance == known.balance


@pytest.mark.parametrize("counts", [[10_100, 10_000, 9_900], [100_600, 100_000, 99_000]])
def test_every_kind_of_even_says_so(counts: list[int]) -> None:
    verdict = judge(counts, {1: sum(counts)}, coverage=1.0, roster_known=False)
    assert verdict.kind is VerdictKind.EVEN
    assert verdict.sentence.startswith(f"Even among the 3 pods that answered; {NOT_KNOWN}: ")
    assert NOT_KNOWN not in judge(counts, {1: sum(counts)}, coverage=1.0).sentence


def test_uneven_and_undecided_need_not_know_how_many_there_are() -> None:
    assert last(ran(600, 300)).verdict.kind is VerdictKind.UNEVEN
    assert NOT_KNOWN not in last(ran(600, 300)).verdict.sentence
    assert NOT_KNOWN not in last(ran(11, 10)).verdict.sentence


def test_pods_that_are_none_of_those_listed_are_judged_among_themselves() -> None:
    """As behind a proxy whose own Service is the target's."""
    snapshot = last(ran(4_000, 4_000, listed=("nginx",)))
    assert f"the 2 pods that answered; {NOT_KNOWN}" in snapshot.verdict.sentence
    assert snapshot.pods_problem.startswith("No pod that answered belongs to the watched Service")
    assert last(ran(4_000, 4_000, listed=("a", "nginx"))).verdict.kind is VerdictKind.UNEVEN
    assert last(ran(4_000, 4_000, listed=("a", "b"))).pods_problem == ""


ANY_VERDICT = VerdictLevels()


@pytest.mark.parametrize(
    ("per_s", "listed", "outcome", "sentence"),
    [
        ((400,), (), Outcome.FAILED, f"The number of pods that answered is 1, below 2; {NOT_KNOWN}."),
        ((400, 400, 400), (), Outcome.PASSED, f"The number of pods that answered is 3, at least 2; {NOT_KNOWN}."),
        ((400,), ("a",), Outcome.FAILED, "The number of ready pods is 1, below 2."),
        ((400,), ("a", "b"), Outcome.PASSED, "The number of ready pods is 2, at least 2."),
        ((400,), ("x", "y"), Outcome.FAILED, f"The number of pods that answered is 1, below 2; {NOT_KNOWN}."),
        ((), (), Outcome.FAILED, f"The number of pods that answered is 0, below 2; {NOT_KNOWN}."),
    ],
)
def test_the_gate_asks_for_so_many_pods(
    per_s: tuple[int, ...], listed: tuple[str, ...], outcome: Outcome, sentence: str
) -> None:
    whole = ran(*per_s, listed=listed, gate=Gate(ANY_VERDICT, pods=2))
    for result in (whole.gate, replayed(whole).gate):
        assert [(check.name, check.outcome, check.sentence) for check in result.checks] == [("pods", outcome, sentence)]


def changing(
    *eras: tuple[int, dict[str, int]], weights: dict[str, float] | None = None
) -> tuple[Snapshot, list[AlertRaised]]:
    """Pods answer so many requests each second for so many seconds, each on a connection of its own."""
    plan = LoadPlan("http://198.18.0.9/", duration_s=sum(seconds for seconds, _ in eras), weights=weights or {})
    samples: list[Sample] = [LoadReady(0.0)]
    counts, second = dict[str, int](), 0
    for per_s in (per_s for seconds, per_s in eras for _ in range(seconds)):
        second += 1
        counts |= {name: counts.get(name, 0) + requests for name, requests in per_s.items()}
        pods = {name: PodCount(n, connections=n) for name, n in counts.items()}
        total = sum(counts.values())
        loads = ConnectionLoads({1: total}, switches={})
        samples.append(TrafficSample(float(second), 50, total, pods, connections=total, loads=loads))
    whole = analysed(Began(plan, Source.HEADER, 0.0), [*samples, LoadEnded(second)])
    return last(whole), [event for event in whole.happened if isinstance(event, AlertRaised)]


THREE = {"a": 50, "b": 50, "c": 50}


def test_a_pod_that_joins_is_due_nothing_before_its_first_answer() -> None:
    """As in a scale-up of which nobody tells."""
    snapshot, raised = changing((10, THREE), (1, {"a": 45, "b": 45, "c": 45, "d": 15}), (14, dict.fromkeys("abcd", 40)))
    assert {row.name: row.expected for row in snapshot.pods}["d"] == pytest.approx(15 + 14 * 40)
    assert (snapshot.verdict.kind, raised) == (VerdictKind.EVEN, [])


def test_a_pod_that_joins_gets_no_share_of_connections_that_are_kept() -> None:
    """A fifth pod answers 3 of 43 connections from the tenth second on, where the others keep 10 each."""
    held = {"a": 10, "b": 10, "c": 10, "d": 10}
    plan = LoadPlan("http://198.18.0.9/", duration_s=40, requests_per_connection=None)
    samples: list[Sample] = [LoadReady(0.0)]
    for second in range(1, 41):
        since = {**dict.fromkeys(held, second), "e": second - 10}
        pods = {
            name: PodCount(20 * n * since[name], connections=n)
            for name, n in {**held, "e": 3}.items()
            if since[name] > 0
        }
        users = [20 * since[name] for name, n in {**held, "e": 3}.items() for _ in range(n) if since[name] > 0]
        loads = ConnectionLoads(long=dict(enumerate(users)), switches={})
        total = sum(count.requests for count in pods.values())
        samples.append(TrafficSample(float(second), 43, total, pods, connections=len(users), loads=loads))
    snapshot = last(analysed(Began(plan, Source.HEADER, 0.0), [*samples, LoadEnded(40)]))
    assert "late_pods" in {finding.code for finding in snapshot.findings}
    assert "uneven_connections" not in {finding.code for finding in snapshot.findings}


ROLLOUT = (
    (8, {"a1": 50, "b1": 50, "c1": 50}),
    (3, {"a2": 50, "b1": 50, "c1": 50}),
    (3, {"a2": 50, "b2": 50, "c1": 50}),
    (8, {"a2": 50, "b2": 50, "c2": 50}),
)


def test_pods_that_leave_are_due_nothing_after_their_last_answer() -> None:
    """As in a rolling update of which nobody tells."""
    snapshot, raised = changing(*ROLLOUT)
    assert (snapshot.verdict.kind, snapshot.findings, raised) == (VerdictKind.EVEN, (), [])


def test_a_group_keeps_its_weight_while_its_pods_are_replaced() -> None:
    eras = (8, {"web-1": 50, "web-2": 50, "new-1": 25}), (8, {"web-3": 50, "web-4": 50, "new-1": 25})
    snapshot, raised = changing(*eras, weights={"web": 4, "new": 1})
    assert (snapshot.verdict.kind, raised) == (VerdictKind.EVEN, [])


@pytest.mark.parametrize(("joined", "kind"), [(10, VerdictKind.UNEVEN), (48, VerdictKind.EVEN)])
def test_a_pod_that_joins_is_judged_by_what_it_gets_from_then_on(joined: int, kind: VerdictKind) -> None:
    snapshot, raised = changing((10, THREE), (30, {**THREE, "d": joined}))
    assert (snapshot.verdict.kind, bool(raised)) == (kind, kind is VerdictKind.UNEVEN)


def test_a_pod_that_is_rarely_picked_was_there_all_the_time() -> None:
    """Between two answers it is as quiet as one that has left."""
    snapshot, raised = changing(*[(4, THREE), (1, {**THREE, "d": 1})] * 6)
    assert snapshot.verdict.kind is VerdictKind.UNEVEN
    assert raised


def test_pods_that_are_due_less_than_a_request_a_second_are_due_the_same() -> None:
    names = [f"p{i}" for i in range(60)]
    turns = [(1, dict.fromkeys(names[20 * (second % 3) : 20 * (second % 3) + 20], 1)) for second in range(60)]
    snapshot, raised = changing(*turns)
    due = [row.expected for row in snapshot.pods]
    assert due == pytest.approx([20.0] * 60, rel=0.06)
    assert snapshot.verdict.kind is not VerdictKind.UNEVEN
    assert not raised
