"""An alert needs evidence to be raised and quiet to be cleared."""

from scale_app.domain.alert import SAMPLES_TO_CLEAR, SAMPLES_TO_RAISE, AlertWatch
from scale_app.domain.balance import Balance, balance
from scale_app.domain.verdict import Verdict, VerdictKind

UNEVEN = balance([300, 100, 100])
EVEN = balance([100, 100, 100])
SURE = Verdict(VerdictKind.UNEVEN, "Uneven: the hottest pod gets 60 %.", p_uneven=1e-12)
LIKELY = Verdict(VerdictKind.UNEVEN, "Uneven.", p_uneven=0.01)
GOOD = Verdict(VerdictKind.EVEN, "Even.", p_uneven=0.6)


def _feed(watch: AlertWatch, figures: Balance, verdict: Verdict, samples: int) -> list[bool]:
    return [watch.observe(float(i), figures, verdict) is not None for i in range(samples)]


def test_sure_unevenness_raises_once_after_two_samples() -> None:
    watch = AlertWatch("verdict")
    assert _feed(watch, UNEVEN, SURE, 5) == [False, True, False, False, False]
    assert watch.active is not None
    assert watch.active.message == SURE.sentence
    assert watch.active.threshold == 0.95


def test_one_bad_sample_between_good_ones_raises_nothing() -> None:
    watch = AlertWatch("verdict")
    for _ in range(20):
        _feed(watch, UNEVEN, SURE, SAMPLES_TO_RAISE - 1)
        _feed(watch, EVEN, GOOD, 1)
    assert watch.active is None


def test_what_chance_may_still_explain_raises_nothing() -> None:
    watch = AlertWatch("verdict")
    _feed(watch, UNEVEN, LIKELY, 50)
    assert watch.active is None


def test_it_clears_only_after_enough_good_samples_in_a_row() -> None:
    watch = AlertWatch("verdict")
    _feed(watch, UNEVEN, SURE, 2)
    _feed(watch, EVEN, GOOD, SAMPLES_TO_CLEAR - 1)
    _feed(watch, UNEVEN, SURE, 1)
    assert _feed(watch, EVEN, GOOD, SAMPLES_TO_CLEAR)[-1]
    assert watch.active is None


def test_the_score_rule_follows_the_threshold_alone() -> None:
    watch = AlertWatch("score")
    _feed(watch, UNEVEN, GOOD, SAMPLES_TO_RAISE)
    assert watch.active is not None
    assert watch.active.balance_score == UNEVEN.score
    assert "below 0.95" in watch.active.message


def test_too_few_requests_raise_nothing() -> None:
    watch = AlertWatch("score")
    _feed(watch, balance([3, 1, 1]), SURE, 10)
    _feed(watch, balance([]), SURE, 10)
    assert watch.active is None
