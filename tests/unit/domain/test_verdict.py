"""The verdict: published clusters, the rules for few picks, and its sentences."""

import math

import numpy as np
import pytest

from scale_app.domain.balance import balance
from scale_app.domain.verdict import VerdictKind, judge
from scale_app.domain.verdict_sentence import three_digits
from tests.unit.domain.verdicts import fair, numbers, one_each

EVEN, UNEVEN, UNDECIDED, NO_DATA = VerdictKind


# Published counts of other people's clusters


def test_a_cluster_known_to_be_uneven_is_called_so() -> None:
    verdict = one_each([60, 10, 7, 3, 6, 4, 10])
    assert verdict.kind is UNEVEN
    assert verdict.p_uneven == pytest.approx(7e-35, rel=0.1)
    assert verdict.sentence == (
        "Uneven: the busiest pod gets 60 %, fair is 14 %; chance does not explain that (p < 0.001)."
    )


def test_an_exercise_with_ten_pods_and_a_hundred_requests_is_undecided() -> None:
    verdict = one_each([8, 7, 13, 13, 8, 7, 13, 12, 9, 10])
    assert verdict.kind is UNDECIDED
    assert verdict.p_uneven == pytest.approx(0.76, abs=0.005)
    assert verdict.long_run_cv == 0.0


def test_exact_round_robin_is_more_even_than_chance() -> None:
    verdict = one_each([2001, 2000, 2000, 1999, 2000])
    assert verdict.kind is EVEN
    assert verdict.more_even_than_chance
    assert verdict.p_regular is not None
    assert verdict.p_regular < 0.001
    assert verdict.sentence == (
        "More even than chance: all 5 pods get their fair share (round robin or least connections); "
        "the score is at least 0.99."
    )


# What chance gives, and what a keep-alive connection is worth


def test_a_fair_random_balancer_with_fifty_connections_scores_low_and_is_undecided() -> None:
    deals = [fair(5, 50, seed) for seed in range(200)]
    scores = [balance(requests).score or 0.0 for requests in deals]
    undecided = [one_each(requests).kind is UNDECIDED for requests in deals]
    assert np.mean(scores) == pytest.approx(0.47, abs=0.03)
    assert np.mean(undecided) >= 0.93


def test_a_long_run_over_few_connections_is_still_few_picks() -> None:
    requests = [count * 10_000 for count in fair(5, 50, 1)]
    verdict = judge(requests, {10_000: 50}, coverage=1.0)
    assert verdict.kind is UNDECIDED
    assert verdict.effective_picks == pytest.approx(50)
    assert verdict.noise_score == pytest.approx(1 - math.sqrt(4 / 50) / 0.5)


def test_unequal_connections_count_for_less() -> None:
    verdict = judge([900, 100], {900: 1, 1: 100}, coverage=1.0)
    assert verdict.effective_picks == pytest.approx(1000**2 / (900**2 + 100))


def test_unknown_connections_count_each_request_and_say_so() -> None:
    verdict = judge([500, 500], None, coverage=1.0)
    assert verdict.effective_picks == 1000
    assert not verdict.connections_known
    assert one_each([500, 500]).connections_known


def test_a_layer_7_balancer_picks_for_each_request() -> None:
    requests = fair(5, 50_000, 2)
    assert judge(requests, {1_000: 50}, coverage=1.0).kind is UNDECIDED
    by_request = judge(requests, {1_000: 50}, coverage=1.0, by_request=True)
    assert by_request.kind is EVEN
    assert by_request.connections_known


def test_enough_connections_prove_a_random_balancer_even() -> None:
    verdict = one_each(fair(5, 50_000, 3))
    assert verdict.kind is EVEN
    assert not verdict.more_even_than_chance
    assert verdict.sentence.startswith(
        "Even: all 5 pods are within chance of their fair share; the score is at least 0.9"
    )


def test_a_difference_too_small_to_matter_is_even() -> None:
    verdict = one_each([2_020_000, 1_980_000])
    assert verdict.kind is EVEN
    assert verdict.p_uneven is not None
    assert verdict.p_uneven < 1e-6
    assert "too little to matter" in verdict.sentence


def test_expected_shares_are_what_pods_are_judged_by() -> None:
    rng = np.random.default_rng(8)
    weighted = rng.multinomial(100_000, [0.1, 0.2, 0.7]).tolist()
    assert judge(weighted, None, 1.0, expected=[1, 2, 7]).kind is EVEN
    assert judge(weighted, None, 1.0).kind is UNEVEN


def test_a_starved_pod_is_named_rather_than_the_four_that_share_its_work() -> None:
    assert one_each([1000, 1000, 1000, 1000, 0]).sentence == (
        "Uneven: the pod with the least work gets 0 %, fair is 20 %; chance does not explain that (p < 0.001)."
    )


# Few picks


def test_two_pods_that_meet_exactly_by_luck_are_not_even() -> None:
    verdict = one_each([25, 25])
    assert verdict.kind is UNDECIDED
    assert not verdict.more_even_than_chance
    assert verdict.cv_high is not None
    assert verdict.cv_high > 0.2


@pytest.mark.parametrize("connections", [17, 23, 35, 50])
def test_an_odd_split_of_few_connections_is_not_uneven(connections: int) -> None:
    at_the_edge = connections // 2 - round(0.9 * math.sqrt(connections))
    assert one_each([at_the_edge, connections - at_the_edge]).kind is UNDECIDED


def test_two_of_five_connections_on_one_of_two_hundred_pods_are_no_proof() -> None:
    verdict = one_each([2, 1, 1, 1] + [0] * 196)
    assert verdict.kind is UNDECIDED
    assert verdict.cv_low == 0.0


def test_all_of_thirty_connections_on_one_of_twenty_pods_are_proof() -> None:
    verdict = one_each([30] + [0] * 19)
    assert verdict.kind is UNEVEN
    assert verdict.p_uneven is not None
    assert verdict.p_uneven < 0.001


def test_all_connections_on_one_of_ten_thousand_pods_are_proof_without_simulation() -> None:
    verdict = judge([0] * 9_999 + [200_000], {10: 20_000}, coverage=1.0)
    assert verdict.kind is UNEVEN


def test_two_requests_to_a_pod_that_just_joined_do_not_make_the_rest_uneven() -> None:
    verdict = judge([2, 26, 27], {1: 55}, 1.0, expected=[0.01, 1, 1])
    assert verdict.kind is UNDECIDED
    assert verdict.p_uneven is not None
    assert verdict.p_uneven >= 0.025


def test_nine_of_nine_connections_on_one_of_two_pods_are_no_proof_but_twelve_are() -> None:
    assert one_each([9, 0]).kind is UNDECIDED
    assert one_each([12, 0]).kind is UNEVEN


def test_round_robin_is_called_even_after_twenty_connections_a_pod() -> None:
    assert one_each([19] * 5).kind is UNDECIDED
    early = one_each([21] * 5)
    assert early.kind is EVEN
    assert early.more_even_than_chance


def test_early_round_robin_says_how_many_connections_are_missing() -> None:
    verdict = one_each([10] * 5)
    assert verdict.picks_to_decide == 50
    assert verdict.sentence == (
        "Undecided after 50 connections: they are spread more evenly than chance (round robin or least connections)."
    )
    assert one_each([20] * 5).kind is EVEN


# What would decide


def three_pods(connections: float, long_run_cv: float) -> list[int]:
    """Counts that show this long-run CV and just the scatter that chance is expected to add."""
    lead = math.sqrt(1.5 * (long_run_cv**2 + 2 / connections))
    return [round(connections / 3 * relative) for relative in (1 + lead, 1 - lead, 1)]


@pytest.mark.parametrize(("so_far", "long_run_cv"), [(150, 0.0), (8_000, 0.04)])
def test_the_picks_asked_for_decide_and_fewer_do_not(so_far: int, long_run_cv: float) -> None:
    before = one_each(three_pods(so_far, long_run_cv))
    assert before.picks_to_decide is not None
    after, shorter = so_far + 1.1 * before.picks_to_decide, so_far + 0.9 * before.picks_to_decide
    assert one_each(three_pods(after, long_run_cv)).kind is (EVEN if long_run_cv < 0.025 else UNEVEN)
    assert one_each(three_pods(shorter, long_run_cv)).kind is UNDECIDED


def test_what_would_decide_does_not_jump_while_chance_explains_what_is_seen() -> None:
    """The same fair balancer, second by second: what is needed in all stays the same, what is missing shrinks."""
    rng, counts, needed = np.random.default_rng(3), np.zeros(5, dtype=int), []
    for _ in range(60):
        counts += rng.multinomial(20, [0.2] * 5)
        more = one_each(counts.tolist()).picks_to_decide
        assert more is not None
        needed.append(int(counts.sum()) + more)
    assert max(needed) <= 1.05 * min(needed)


def test_a_score_at_the_threshold_is_never_decided_and_says_so() -> None:
    verdict = one_each([410_000_000, 390_000_000])
    assert verdict.kind is UNDECIDED
    assert verdict.picks_to_decide is None
    assert "hardly decide" in verdict.sentence


def test_undecided_names_connections_and_noise() -> None:
    verdict = judge([count * 5 for count in [48, 40, 56, 50, 46]], {5: 240}, coverage=1.0)
    assert verdict.picks_to_decide is not None
    assert verdict.sentence == "Undecided after 240 connections: a fair random balancer would score about 0.74."


def test_one_connection_is_singular() -> None:
    assert judge([5, 0], {5: 1}, coverage=1.0).sentence.startswith("Undecided after 1 connection:")


# Nothing to judge


@pytest.mark.parametrize("requests", [[], [0], [0, 0, 0]])
def test_no_request_is_no_data(requests: list[int]) -> None:
    verdict = judge(requests, {}, coverage=0.0)
    assert verdict.kind is NO_DATA
    assert verdict.sentence == "No data: no pod has answered a request."
    assert not numbers(verdict)


def test_answers_that_name_no_pod_leave_no_verdict() -> None:
    verdict = judge([500, 500], {1: 1000}, coverage=0.4)
    assert verdict.kind is NO_DATA
    assert verdict.sentence == (
        "No verdict: only 40 % of answers named a pod, and below 95 % the rest could change it."
    )
    assert judge([500, 500], {1: 1000}, coverage=0.95).kind is not NO_DATA
    assert judge([500, 500], {1: 1000}, coverage=math.nan).kind is NO_DATA


def test_one_pod_is_even_and_says_why() -> None:
    verdict = one_each([12])
    assert verdict.kind is EVEN
    assert "one pod" in verdict.sentence


@pytest.mark.parametrize(
    ("value", "written"), [(0.25, "0.25"), (12.5, "12.5"), (99.96, "100"), (1_234.5, "1,234"), (1e6, "1,000,000")]
)
def test_a_number_is_never_written_as_a_power_of_ten(value: float, written: str) -> None:
    assert three_digits(value) == written
