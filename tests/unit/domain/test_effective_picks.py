"""The short form of the estimate's own measurement: a few telling cells, seeded, with room for their scatter."""

import pytest

from tests.bench.effective_picks import Case, measure

SCATTER = 0.02  # of a rate of 2.5 % in 200 trials, nearly twice its standard deviation


@pytest.mark.parametrize(
    "case",
    [
        Case("layer 7", 200, 5, 2),
        Case("half the clients each", 200, 5, 5, "poisson"),
        Case("sticks with 0.5", 30, 40, 5, "poisson", cut=True),
        Case("layer 4", 50, 60, 20, "poisson", cut=True),
    ],
    ids=str,
)
def test_chance_is_as_wide_as_the_picks_say(case: Case) -> None:
    row = measure(case, seed=1, trials=200)
    assert row.exceed <= 0.025 + 2 * SCATTER
    assert 0.7 <= row.told / row.true <= 1.3
