"""How many picks stand behind a connection: from its switches, whatever the balancer in front of it is."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scale_app.domain.picks import ConnectionLoad, closed_form, freshness_of, kept, picks_of, unbiased_effect

EVEN_5 = [0.2] * 5


def test_kish_counts_equal_connections_fully_and_one_giant_as_one() -> None:
    assert picks_of(500, {10: 50}).effective == pytest.approx(50)
    assert picks_of(10_050, {10_000: 1, 1: 50}).effective == pytest.approx(1.01, abs=0.001)


def test_there_are_never_more_effective_picks_than_requests() -> None:
    assert picks_of(10, {1: 5_000}).effective == 10


@pytest.mark.parametrize("by_request", [True, False])
@pytest.mark.parametrize("loads", [None, {}, {0: 5}, {5: 0}])
def test_without_usable_connections_each_request_is_a_pick(loads: dict[int, int] | None, by_request: bool) -> None:
    picks = picks_of(30, loads, by_request)
    assert (picks.effective, picks.total, picks.known, picks.unit) == (30, 30, False, "request")


@pytest.mark.parametrize(("m", "rho"), [(7, 0.6), (5, -0.5), (400, 0.9), (12, 0.999999999), (30, 0.0), (1, 0.5)])
def test_the_design_effect_is_the_sum_that_it_stands_for(m: int, rho: float) -> None:
    told = 1 + 2 * sum((1 - j / m) * rho**j for j in range(1, m))
    assert closed_form(np.array([m]), np.array([rho]))[0] == pytest.approx(told, rel=1e-4)


@pytest.mark.parametrize(("m", "rho", "pods"), [(2, 0.0, 2), (5, 0.0, 2), (5, 0.5, 2), (5, 0.5, 5), (9, 0.8, 20)])
def test_the_effect_of_short_connections_is_right_on_average(m: int, rho: float, pods: int) -> None:
    """Over all numbers of switches that can be, each as often as chance brings it."""
    differs = 1 - 1 / pods
    chances, switch = m - 1, differs * (1 - rho)
    mean = sum(
        float(np.prod([(chances - i) / (i + 1) for i in range(s)])) * switch**s * (1 - switch) ** (chances - s)
        * (unbiased_effect(m, s, chances, differs) if s else m)
        for s in range(chances + 1)
    )  # fmt: skip
    assert mean == pytest.approx(closed_form(np.array([m]), np.array([rho]))[0], rel=1e-9)


def connections(policy: str, count: int, m: int, pods: int, seed: int) -> list[list[int]]:
    """The pods that answered on each connection."""
    rng = np.random.default_rng(seed)
    stays = {"layer 4": 1.0, "layer 7": 0.0, "sticks": 0.9}
    made = []
    for number in range(count):
        rho = stays.get(policy, float(number % 2))
        answers = [int(rng.integers(pods))]
        for _ in range(m - 1):
            answers.append(answers[-1] if rng.random() < rho else int(rng.integers(pods)))
        made.append(answers)
    if policy == "round robin":
        made = [[(number + (count + 1) * at) % pods for at in range(m)] for number in range(count)]
    if policy == "hash":
        made = [[answers[0]] * m for answers in made]
        made[0][m // 2 :] = [(made[0][0] + 1) % pods] * (m - m // 2)
    return made


def effective(answers: list[list[int]], pods: int, cut: int = 0) -> float:
    """Effective picks of a window that begins after `cut` answers of each connection."""
    loads: Counter[ConnectionLoad] = Counter()
    parts = np.zeros(pods)
    for one in answers:
        switches = sum(a != b for a, b in zip(one[max(0, cut - 1) :], one[max(1, cut) :], strict=False))
        loads[kept(len(one) - cut, switches, cut > 0)] += 1
        parts += np.bincount(one[cut:], minlength=pods)
    return picks_of(int(parts.sum()), loads, parts=(parts / parts.sum()).tolist()).effective


@pytest.mark.parametrize("cut", [0, 100])
@pytest.mark.parametrize(
    ("policy", "low", "high"),
    [
        ("layer 4", 50, 50),
        ("hash", 50, 52),
        ("layer 7", 0.85, 1.0),
        ("round robin", 1.0, 1.0),
        ("half of the clients", 90, 105),
        ("sticks", 0.04, 0.07),
    ],
)
def test_the_picks_of_fifty_kept_connections_are_those_that_the_balancer_made(
    policy: str, low: float, high: float, cut: int
) -> None:
    """Bounds up to 1 are parts of the requests in the window."""
    found = effective(connections(policy, 50, 400, 5, 7), 5, cut)
    requests = 50 * (400 - cut)
    assert (low * requests if low <= 1 else low) <= found + 1e-6
    assert found <= (high * requests if high <= 1 else high) + 1e-6


@pytest.mark.parametrize(
    ("policy", "low", "high"), [("layer 4", 1, 1), ("layer 7", 4.5, 5), ("half of the clients", 1.5, 1.8)]
)
def test_the_picks_of_short_connections_are_too(policy: str, low: float, high: float) -> None:
    found = effective(connections(policy, 800, 5, 5, 7), 5) / 800
    assert low - 1e-9 <= found <= high + 1e-9


def test_the_unit_is_what_decides() -> None:
    units = [picks_of(20_000, {kept(400, switches): 50}, parts=EVEN_5).unit for switches in (0, 1, 30, 300)]
    assert units == ["connection", "pick", "pick", "request"]
    assert picks_of(20_000, {kept(400): 49, kept(400, 1): 1}, parts=EVEN_5).unit == "connection"


def test_all_answers_from_one_pod_are_no_more_picks_than_connections() -> None:
    assert picks_of(500, {kept(100): 5}, parts=[1.0, 0.0]).effective == pytest.approx(5)
    assert freshness_of({kept(100): 5}, [1.0, 0.0]) == 0.0


def test_freshness_is_the_part_of_the_answers_that_was_picked_anew() -> None:
    assert freshness_of({kept(101, 80): 10}, EVEN_5) == pytest.approx(1.0)
    assert freshness_of({kept(101, 80): 10, kept(101): 10}, EVEN_5) == pytest.approx(0.5)
    assert freshness_of({kept(101, 100): 10}, EVEN_5) == 1.0
    assert freshness_of({}, EVEN_5) == 0.0


numbers = st.integers(-5, 10**6)


@settings(max_examples=300)
@given(
    st.integers(1, 10**9),
    st.dictionaries(st.tuples(numbers, numbers, st.booleans()), st.integers(-2, 10**4), max_size=8),
    st.lists(st.floats(0, 1), max_size=6),
)
def test_whatever_is_reported_gives_between_one_and_all_of_the_requests(
    requests: int, told: dict[tuple[int, int, bool], int], parts: list[float]
) -> None:
    loads = {kept(m, s, before): n for (m, s, before), n in told.items()}
    picks = picks_of(requests, loads, parts=parts)
    assert 0 < picks.effective <= requests
    assert picks.total >= 1
    assert (picks.counts > 0).all()
