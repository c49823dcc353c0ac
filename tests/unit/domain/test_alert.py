"""An alert needs evidence to be raised, a change to be updated, and quiet to be cleared."""

from dataclasses import replace

from scale_app.domain.alert import SAMPLES_TO_CLEAR, SAMPLES_TO_RAISE, UPDATE_EVERY_S, Alert, AlertWatch, Reading

BAD = Reading("bad", 0.5, "Pod a got 60 %.", value=0.6, balance_score=0.4, measure=0.6, step=0.1, subject="a")
GOOD = Reading("good", 0.5, value=0.4, measure=0.4)
UNCLEAR = Reading("unclear", 0.5)


class Played:
    """A watch and its time, a sample a second."""

    def __init__(self) -> None:
        self.watch = AlertWatch("pod_share")
        self.at_s = 0.0

    def feed(self, reading: Reading, samples: int) -> list[str]:
        """What changed at which sample: its kind, or "" for nothing."""
        kinds = []
        for _ in range(samples):
            change = self.watch.observe(self.at_s, reading)
            kinds.append(change.kind if change else "")
            self.at_s += 1
        return kinds


def test_it_is_raised_once_after_enough_bad_samples() -> None:
    played = Played()
    assert played.feed(BAD, 30) == ["", "raised", *[""] * 28]
    assert played.watch.active == Alert("pod_share", 0.4, 0.5, "Pod a got 60 %.", 1.0, 0.6)


def test_one_bad_sample_between_others_raises_nothing() -> None:
    played = Played()
    for other in (GOOD, UNCLEAR) * 20:
        played.feed(BAD, SAMPLES_TO_RAISE - 1)
        played.feed(other, 1)
    assert played.watch.active is None


def test_it_is_cleared_only_by_enough_good_samples_in_a_row() -> None:
    played = Played()
    played.feed(BAD, SAMPLES_TO_RAISE)
    for other in (BAD, UNCLEAR):
        played.feed(GOOD, SAMPLES_TO_CLEAR - 1)
        played.feed(other, 1)
    assert played.feed(GOOD, SAMPLES_TO_CLEAR) == [*[""] * (SAMPLES_TO_CLEAR - 1), "cleared"]
    assert played.watch.active is None


def test_having_nothing_to_go_by_neither_raises_nor_clears() -> None:
    played = Played()
    assert not any(played.feed(UNCLEAR, 50))
    played.feed(BAD, SAMPLES_TO_RAISE)
    assert not any(played.feed(UNCLEAR, 50))
    assert played.watch.active is not None


def test_figures_that_changed_are_told_but_not_more_often_than_every_ten_seconds() -> None:
    played = Played()
    played.feed(BAD, SAMPLES_TO_RAISE)
    kinds = []
    for second in range(100):
        worse = replace(BAD, measure=0.6 + second / 5, message=f"{second}", value=float(second))
        kinds += played.feed(worse, 1)
    assert kinds.count("updated") == 100 / UPDATE_EVERY_S
    assert played.watch.active is not None
    assert (played.watch.active.message, played.watch.active.raised_at_s) == ("99", 1.0)


def test_figures_that_hover_are_not_told() -> None:
    played = Played()
    played.feed(BAD, SAMPLES_TO_RAISE)
    for _ in range(30):
        assert not any(played.feed(replace(BAD, measure=0.66), 1) + played.feed(replace(BAD, measure=0.54), 1))


def test_another_pod_is_told_although_the_figures_are_the_same() -> None:
    played = Played()
    played.feed(BAD, SAMPLES_TO_RAISE)
    kinds = played.feed(replace(BAD, subject="b", message="Pod b got 60 %."), 20)
    assert kinds.count("updated") == 1
    assert played.watch.active is not None
    assert played.watch.active.message == "Pod b got 60 %."


def test_it_can_be_raised_again() -> None:
    played = Played()
    for _ in range(3):
        assert played.feed(BAD, SAMPLES_TO_RAISE)[-1] == "raised"
        assert played.feed(GOOD, SAMPLES_TO_CLEAR)[-1] == "cleared"


def test_each_rule_says_that_it_is_over_in_its_own_words() -> None:
    assert Alert("verdict", 0.2, 0.95, "", 1.0).cleared == "The imbalance is over."
    assert Alert("pod_share", 0.2, 0.3, "", 1.0).cleared == "No pod answers more than 30 % of the requests now."
    assert "no longer above 500 ms" in Alert("p95", None, 500, "", 1.0).cleared
    assert Alert("failures", None, 0.01, "", 1.0).cleared == "No more than 1 % of the requests fail now."
