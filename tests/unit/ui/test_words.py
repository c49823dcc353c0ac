"""Every state, source, verdict and choice has words."""

import pytest

from scale_app.domain.alert import Alert
from scale_app.domain.demo import Fault, Policy
from scale_app.domain.events import AlertCleared, AlertRaised, PlanEdited, PodChanged, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import RunState, Source
from scale_app.domain.verdict import VerdictKind
from scale_app.ui import words
from scale_app.ui.happenings import MOST, happenings


def test_nothing_is_without_words():
    assert set(words.STATES) == set(RunState)
    assert set(words.SOURCES) == set(Source)
    assert set(words.VERDICTS) == set(VerdictKind)
    assert set(words.POLICIES) == set(Policy)
    assert set(words.FAULTS) == set(Fault)


@pytest.mark.parametrize(
    ("requests", "text"),
    [(None, "Keep-alive"), (1, "New connection each time"), (5, "New connection every 5 requests")],
)
def test_a_connection_policy_in_words(requests, text):
    assert words.connection_text(requests) == text


def test_a_plan_is_told_completely():
    lines = {line.label: line.value for line in words.plan_lines(LoadPlan())}
    assert (lines["Users"], lines["Duration"], lines["Think time"]) == ("100", "1 min", "50 ms")


def test_what_happened_is_told_newest_first():
    alert = Alert("verdict", 0.3, 0.95, "Pod a gets too much.", 5.0)
    told = happenings(
        [
            StateChanged(0.0, RunState.RUNNING),
            AlertRaised(5.0, alert),
            PodChanged(6.0, "b", "left"),
            PlanEdited(7.0, LoadPlan(users=200, spawn_rate=10.0)),
            AlertCleared(9.0, alert),
            StateChanged(10.0, RunState.FAILED, "It broke."),
        ]
    )
    assert [line.text for line in told] == [
        "It broke.",
        "The imbalance is over.",
        "Changed to 200 users, 10 a second.",
        "Pod b is gone.",
        "Pod a gets too much.",
        "The run is running.",
    ]
    assert [line.tone for line in told] == ["bad", "", "", "", "bad", ""]


def test_a_long_list_keeps_the_newest():
    told = happenings([PlanEdited(float(i), LoadPlan(users=i)) for i in range(1, MOST + 50)])
    assert len(told) == MOST
    assert told[0].at == "2:29"
