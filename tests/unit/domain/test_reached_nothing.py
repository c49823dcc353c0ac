"""A run that reached nothing says what was tried, what came back and what to do."""

import pytest

from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import PodCount, TrafficSample
from scale_app.domain.unanswered import OTHER_PROTOCOL, failure_sentence, should_give_up

PLAN = LoadPlan(target_url="http://127.0.0.1:9/", timeout_s=3)
REFUSED = TrafficSample(1, 5, 40, errors={"connection refused": 40})


def test_a_run_without_one_good_answer_names_target_count_cause_and_cure() -> None:
    sentence = failure_sentence(PLAN, REFUSED)
    assert sentence == (
        "None of 40 requests to http://127.0.0.1:9/ got a good answer: 40 x connection refused. "
        "Check that the service listens on this port, then start again."
    )


def test_one_good_answer_is_enough_not_to_fail() -> None:
    assert failure_sentence(PLAN, TrafficSample(1, 5, 41, {"a": PodCount(1)}, errors={"HTTP 503": 40})) == ""


def test_a_run_in_which_nothing_ended_says_so() -> None:
    assert "No request to http://127.0.0.1:9/ ended" in failure_sentence(PLAN, TrafficSample(1, 5, 0))
    assert "No request" in failure_sentence(PLAN, None)


def test_load_without_answers_is_given_up_only_after_patience() -> None:
    assert not should_give_up(PLAN, 9.9, REFUSED)
    assert should_give_up(PLAN, 10, REFUSED)


def test_a_hanging_target_is_given_up_after_its_own_deadline() -> None:
    patient = LoadPlan(timeout_s=20)
    assert not should_give_up(patient, 21, TrafficSample(1, 5, 0))
    assert should_give_up(patient, 22, TrafficSample(1, 5, 0))


@pytest.mark.parametrize("cause", OTHER_PROTOCOL)
def test_a_target_of_another_protocol_is_given_up_at_once_with_what_to_set(cause: str) -> None:
    sample = TrafficSample(1, 5, 9, errors={"closed early": 6, cause: 3})
    assert not should_give_up(PLAN, 0.9, sample)
    assert should_give_up(PLAN, 1.0, sample)
    assert f"{OTHER_PROTOCOL[cause]}, then start again." in failure_sentence(PLAN, sample)


def test_one_good_answer_is_enough_to_go_on_whatever_protocol_others_speak() -> None:
    sample = TrafficSample(1, 5, 9, {"a": PodCount(1)}, errors={"server speaks HTTP/2": 8})
    assert not should_give_up(PLAN, 60.0, sample)


def test_a_certificate_that_is_not_trusted_is_no_matter_for_the_services_logs() -> None:
    untrusted = TrafficSample(1, 5, 9, errors={"TLS: self-signed certificate": 9})
    assert "(ca_pem)" in failure_sentence(PLAN, untrusted)
    for refusal in ("HTTP 401", "HTTP 403"):
        assert "or a sign-in in front of it" in failure_sentence(PLAN, TrafficSample(1, 5, 9, errors={refusal: 9}))
    assert "gRPC server" in failure_sentence(PLAN, TrafficSample(1, 5, 9, errors={"HTTP 415": 9}))
    assert "HTTP/2" in failure_sentence(PLAN, TrafficSample(1, 5, 9, errors={"HTTP 426": 9}))
    assert "speaks HTTP/1.1" in failure_sentence(PLAN, TrafficSample(1, 5, 9, errors={"malformed answer": 9}))
