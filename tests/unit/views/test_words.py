"""Every state, source, verdict and choice has words."""

from dataclasses import fields
from typing import get_args

import pytest

from scale_app.domain.alert import Alert, AlertKind
from scale_app.domain.compare import Change
from scale_app.domain.demo import Fault, Policy
from scale_app.domain.events import AlertCleared, AlertRaised, PlanEdited, PodChanged, StateChanged
from scale_app.domain.pattern import PatternKind
from scale_app.domain.plan import AlertRule, Arrivals, DnsPolicy, LoadPlan
from scale_app.domain.snapshot import Certainty, RunState
from scale_app.domain.source import AskedSource
from scale_app.domain.verdict import VerdictKind
from scale_app.views import words
from scale_app.views.plan_fields import PLAN_LABELS
from scale_app.views.presenting import plan_lines
from scale_app.views.sentences import MOST_HAPPENINGS, happenings


def test_nothing_is_without_words():
    assert set(words.STATES) == set(RunState)
    assert set(words.VERDICTS) == set(VerdictKind)
    assert set(words.POLICIES) == set(Policy)
    assert set(words.FAULTS) == set(Fault)
    assert set(words.CHANGES) == set(Change)
    assert set(words.CERTAINTIES) == set(get_args(Certainty))
    assert set(words.ALERTS) == set(get_args(AlertKind))
    assert set(words.ALERT_RULES) == set(get_args(AlertRule))
    assert set(words.PATTERNS) == set(get_args(PatternKind))
    assert set(words.ARRIVALS) == set(get_args(Arrivals))
    assert set(words.DNS) == set(get_args(DnsPolicy))
    assert set(words.COUNTING) == set(get_args(AskedSource))


@pytest.mark.parametrize(
    ("requests", "text"),
    [(None, "Keep-alive"), (1, "New connection per request"), (5, "Reconnect every 5 requests")],
)
def test_a_connection_policy_in_words(requests, text):
    assert words.connection_text(requests) == text


@pytest.mark.parametrize(
    ("networks", "text"),
    [
        ((), ""),
        (("127.0.0.1/32",), "Allowed: load may be sent to 127.0.0.1."),
        (("10.0.0.0/8", "::1/128"), "Allowed: load may be sent to 10.0.0.0/8, ::1."),
        (
            tuple(f"10.0.0.{n}/32" for n in range(5)),
            "Allowed: load may be sent to 10.0.0.0, 10.0.0.1, 10.0.0.2 and 2 more.",
        ),
    ],
)
def test_an_allowed_target_in_words(networks, text):
    assert words.allowed_sentence(networks) == text


def test_a_plan_is_told_completely():
    lines = {line.label: line.value for line in plan_lines(LoadPlan())}
    assert (lines["Users"], lines["Duration"], lines["Think time"]) == ("100", "1 min", "50 ms")


def test_a_plan_tells_the_limits_that_are_set():
    lines = {line.label: line.value for line in plan_lines(LoadPlan(max_pod_share=0.3, max_p95_ms=250.0))}
    assert lines["Largest pod share"].startswith("30.0")
    assert lines["Highest p95"] == "250 ms"
    assert "Largest failed share" not in lines
    assert lines["Alert on"] == "Imbalance beyond chance"


def test_every_field_of_a_plan_has_a_name():
    assert set(PLAN_LABELS) == {field.name for field in fields(LoadPlan)}


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
        "Load changed to 200 users, spawn rate 10 per second.",
        "Pod b is gone.",
        "Pod a gets too much.",
        "Sending load.",
    ]
    assert [line.tone for line in told] == ["bad", "", "", "", "bad", ""]


def test_a_long_list_keeps_the_newest():
    told = happenings([PlanEdited(float(i), LoadPlan(users=i)) for i in range(1, MOST_HAPPENINGS + 50)])
    assert len(told) == MOST_HAPPENINGS
    assert told[0].at == "2:29"


def test_an_edit_of_an_open_load_tells_its_rate():
    told = happenings([PlanEdited(7.0, LoadPlan(users=200, spawn_rate=10.0, arrivals_per_s=1_500.0))])
    assert told[0].text == "Load changed to 1500 requests per second, 200 users, spawn rate 10 per second."
