"""Requests that no pod answered: what they leave open, and the pod that they belong to."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.events import AlertRaised
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import ConnectionLoads, LoadReady, PodCount, PodSeen, PodsSample, TrafficSample
from scale_app.domain.snapshot import Snapshot, Source
from scale_app.domain.unanswered import filled, silent_pods
from scale_app.domain.verdict import VerdictKind
from tests.fakes_load import observed

EQUAL = dict.fromkeys("abcde", 1.0)


def answers(*requests: int) -> dict[str, int]:
    return dict(zip("abcde", requests, strict=False))


def test_a_pod_that_answers_nothing_while_its_share_is_lost_is_silent() -> None:
    silent = silent_pods(answers(400, 400, 400, 400, 0), EQUAL, 400, 1_600.0)
    assert silent is not None
    assert (silent.pods, silent.lost) == (("e",), 0.2)
    assert silent.evidence > 1e6


@pytest.mark.parametrize(
    ("requests", "unserved", "picks"),
    [
        ((400, 400, 400, 400, 0), 0, 1_600.0),
        ((400, 400, 400, 400, 0), 50, 1_600.0),  # far less than its share: the balancer does not send it any
        ((400, 400, 400, 400, 100), 300, 1_600.0),  # it answers
        ((0, 0, 0, 0, 0), 400, 0.0),
        ((400,), 400, 400.0),
    ],
)
def test_others_are_not(requests: tuple[int, ...], unserved: int, picks: float) -> None:
    counts = answers(*requests)
    assert silent_pods(counts, dict.fromkeys(counts, 1.0), unserved, picks) is None


def test_few_kept_connections_were_tried_in_vain_as_often_as_few_picks_say() -> None:
    silent = silent_pods(answers(4_000, 4_000, 4_000, 4_000, 0), EQUAL, 12, 50.0)
    assert silent is not None
    assert silent.evidence > 100


def test_the_quiet_pods_are_filled_up_to_one_level() -> None:
    fair = np.full(4, 0.25)
    assert filled(np.array([10.0, 4.0, 0.0, 6.0]), fair, 8).tolist() == pytest.approx([10, 6, 6, 6])
    assert filled(np.array([10.0, 4.0, 0.0, 6.0]), fair, 2).tolist() == pytest.approx([10, 4, 2, 6])
    assert filled(np.array([10.0, 4.0, 0.0, 6.0]), fair, 100).tolist() == pytest.approx([30] * 4)


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.floats(0.01, 10)), min_size=1, max_size=9), st.integers(0, 10**6))
def test_what_is_filled_in_is_all_of_it_and_takes_nothing_away(pods: list[tuple[int, float]], unserved: int) -> None:
    counts, weights = (np.array(column, dtype=float) for column in zip(*pods, strict=True))
    full = filled(counts, weights / weights.sum(), unserved)
    assert (full >= counts).all()
    assert full.sum() == pytest.approx(counts.sum() + unserved, rel=1e-6, abs=1e-6)


def kept_by(answered: int) -> ConnectionLoads:
    each = answered // 20
    return ConnectionLoads(long=dict.fromkeys(range(20), each), switches=dict.fromkeys(range(20), each * 3 // 4))


def judged(
    requests: dict[str, int],
    errors: dict[str, int],
    bad_gateway: int = 0,
    known: bool = True,
    in_vain: int = 0,
    switching: bool = False,
) -> tuple[Snapshot, list[AlertRaised]]:
    """A run of five ready pods that answered so much within ten seconds, a new connection for each request.

    known: which pods should answer. in_vain: of the errors of each pod, those on connections that it had answered.
    switching: twenty connections instead, on which four pods are picked for each request."""
    run = Run("run-1", LoadPlan(duration_s=60, requests_per_connection=1), Source.HEADER, 0.0)
    if known:
        observed(run, PodsSample(0.0, tuple(PodSeen(name) for name in EQUAL)))
    observed(run, LoadReady(0.0))
    raised = []
    for second in range(1, 11):
        pods = {
            name: PodCount(n * second // 10, connections=n * second // 10, unanswered=in_vain * second // 10)
            for name, n in requests.items()
            if n
        }
        lost = {cause: n * second // 10 for cause, n in errors.items()}
        proxy = bad_gateway * second // 10
        answered = sum(count.requests for count in pods.values()) + proxy
        told = observed(
            run,
            TrafficSample(
                float(second),
                20,
                answered + sum(lost.values()),
                pods,
                PodCount(proxy, proxy),
                {**lost, "HTTP 502": proxy},
                answered,
                kept_by(answered) if switching else ConnectionLoads({1: answered}, switches={}),
            ),
        )
        raised += [event for event in told if isinstance(event, AlertRaised)]
    assert run.last is not None
    return run.last, raised


@pytest.mark.parametrize("cause", ["timeout", "connection refused", "connection reset"])
def test_a_ready_pod_that_does_not_answer_makes_the_work_uneven_is_named_and_alerts(cause: str) -> None:
    last, raised = judged(answers(400, 410, 390, 400, 0), {cause: 400})
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert last.verdict.sentence == (
        "Uneven: the ready pod e does not answer, and 20 % of all requests got no answer; "
        "the balancer itself may be fair."
    )
    assert [finding.code for finding in last.findings] == ["silent_pod"]
    assert last.findings[0].pods == ("e",)
    assert f"400 x {cause}" in last.findings[0].evidence
    assert next(event.alert.message for event in raised).startswith("Uneven: the ready pod e does not answer")


def test_errors_that_a_proxy_gives_in_the_pods_place_are_no_answers_of_an_unknown_pod() -> None:
    last, raised = judged(answers(400, 410, 390, 400, 0), {}, bad_gateway=400)
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert [finding.code for finding in last.findings] == ["silent_pod"]
    assert raised


def test_requests_that_nobody_answered_are_no_lack_of_coverage() -> None:
    last, _ = judged(answers(430, 410, 370, 390, 400), {"timeout": 500})
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert last.balance.score is not None


def test_a_verdict_that_holds_only_if_nothing_was_lost_on_the_quiet_pods_is_open() -> None:
    last, raised = judged(answers(700, 400, 400, 400, 400), {"timeout": 1_200})
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert last.verdict.sentence.startswith("Undecided: 1,200 requests got no answer, and it is unknown")
    assert not raised


@pytest.mark.parametrize(("lost", "pods"), [(400, "one more pod that does"), (810, "2 more pods that do")])
def test_losses_as_great_as_those_of_pods_that_nobody_knows_leave_an_even_run_open(lost: int, pods: str) -> None:
    """Nobody told how many pods there should be, and one that never answers has no name."""
    last, _ = judged(answers(400, 410, 390, 400), {"connection reset": lost}, known=False)
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert last.verdict.sentence.startswith(f"Undecided: {lost:,} requests got no answer, as many as {pods} not answer")
    assert last.verdict.picks_to_decide is None
    assert [(each.code, each.certainty) for each in last.findings] == [("silent_pod", "possible")]


def test_at_layer_7_they_are_lost_on_any_connection() -> None:
    lost: dict[str, int] = {"timeout": 400}
    last, _ = judged(answers(400, 410, 390, 400), lost, known=False, in_vain=100, switching=True)
    assert last.verdict.kind is VerdictKind.UNDECIDED
    assert last.verdict.sentence.startswith("Undecided: 400 requests got no answer, as many as one more pod")
    assert last.verdict.sentence.endswith("name the Service in the plan (service).")  # no more picks would decide
    few, _ = judged(answers(400, 410, 390, 400), {"timeout": 32}, known=False, in_vain=8, switching=True)
    assert few.verdict.kind is VerdictKind.EVEN


@pytest.mark.parametrize(
    ("requests", "lost", "known", "in_vain"),
    [
        ((400, 410, 390, 400), 32, False, 0),  # 2 % lost at random
        ((400, 410, 390, 400), 600, False, 0),  # one pod and a half
        ((400, 410, 390, 400), 400, False, 50),  # half of them on connections that had been answered before
        ((400, 410, 390, 400, 400), 32, True, 0),
    ],
)
def test_other_losses_leave_an_even_run_even(requests: tuple[int, ...], lost: int, known: bool, in_vain: int) -> None:
    last, _ = judged(answers(*requests), {"connection reset": lost}, known=known, in_vain=in_vain)
    assert last.verdict.kind is VerdictKind.EVEN
    assert not last.findings


def test_a_few_lost_requests_change_no_clear_verdict() -> None:
    last, _ = judged(answers(1_400, 400, 400, 400, 400), {"timeout": 30})
    assert last.verdict.kind is VerdictKind.UNEVEN
    assert "Uneven: pod " in last.verdict.sentence
