"""What people are told about how requests were counted."""

from scale_app.domain.counting import Counting, SourceStanding
from scale_app.domain.source import Source
from scale_app.views.sentences import counting_note


def test_nothing_is_said_where_every_answer_names_its_pod() -> None:
    assert counting_note(Counting(SourceStanding(Source.HEADER, 1.0))) == ""


def test_the_source_and_what_it_covers_are_said() -> None:
    note = counting_note(Counting(SourceStanding(Source.PROMETHEUS, 0.987)))
    assert note == "Counted from the Prometheus counter that each pod exports. It accounts for 98.7% of the requests."


def test_other_clients_are_never_hidden() -> None:
    note = counting_note(Counting(SourceStanding(Source.ACCESS_LOG, 1.4), others=4_000))
    assert "100.0% of the requests" in note
    assert "at least 4,000 requests of other clients" in note


def test_estimates_and_their_age_are_said() -> None:
    note = counting_note(Counting(SourceStanding(Source.NETWORK, 1.0, approximate=True, lag_s=14.2)))
    assert "These counts are estimates. They are 14 s old." in note


def test_what_could_not_be_read_is_said_with_its_reason() -> None:
    forbidden = SourceStanding(Source.ACCESS_LOG, problem="It may not be read. Grant it.")
    note = counting_note(Counting(SourceStanding(Source.HEADER, 1.0), considered=(forbidden,)))
    assert note == "Measured by access log: It may not be read. Grant it."
