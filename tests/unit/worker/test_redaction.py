"""What leaves the worker's process passes the redaction; what is counted passes it when it is new."""

from __future__ import annotations

import io

import pytest

from scale_app.domain.redaction import MARK, Redaction
from scale_app.domain.samples import GeneratorHealth
from scale_app.worker import redaction
from scale_app.worker.counters import Counters
from scale_app.worker.redaction import ProcessRedaction, RedactedStream

VALUE = "correct-horse-battery"


@pytest.fixture
def redacted(monkeypatch: pytest.MonkeyPatch) -> ProcessRedaction:
    mine = ProcessRedaction()
    monkeypatch.setattr(redaction, "redacted", mine)
    mine.keep_out([VALUE])
    return mine


def test_values_of_earlier_runs_stay_out() -> None:
    redacted = ProcessRedaction()
    assert redacted(VALUE) == VALUE
    redacted.keep_out([VALUE])
    redacted.keep_out(["another-secret"])
    assert redacted(f"{VALUE} another-secret") == f"{MARK} {MARK}"


def test_every_text_of_a_message_is_redacted_and_nothing_else_changed(redacted: ProcessRedaction) -> None:
    said = {"errors": {f"GET {VALUE}": {"error": f"no {VALUE}", "times": 3}}, "list": [VALUE, 1, None, b"bytes"]}
    assert redacted.all_of(said) == {
        "errors": {f"GET {MARK}": {"error": f"no {MARK}", "times": 3}},
        "list": [MARK, 1, None, b"bytes"],
    }
    assert ProcessRedaction().all_of(said) is said


def test_a_value_printed_in_pieces_is_redacted(redacted: ProcessRedaction) -> None:
    output = io.StringIO()
    stream = RedactedStream(output)
    for piece in ("the ", VALUE[:5], VALUE[5:], " is\nnext ", VALUE[:12]):
        assert stream.write(piece) == len(piece)
    assert output.getvalue() == f"the {MARK} is\n"
    stream.flush()
    assert output.getvalue() == f"the {MARK} is\nnext {MARK}"
    print("plain", 3, file=stream)
    assert output.getvalue().endswith("plain 3\n")


def test_a_line_without_an_end_does_not_fill_the_memory(redacted: ProcessRedaction) -> None:
    output = io.StringIO()
    stream = RedactedStream(output)
    stream.write("x" * (redaction.LONGEST_LINE + 1))
    assert len(output.getvalue()) == redaction.LONGEST_LINE + 1


class CountedRedaction:
    """Redacts, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self._redact = Redaction([VALUE])

    def __call__(self, text: str) -> str:
        self.asked += 1
        return self._redact(text)


def test_names_and_causes_are_counted_without_values_and_looked_at_once() -> None:
    redact = CountedRedaction()
    counters = Counters(redact)
    for _ in range(100):
        counters.cell(b"pod-a", 200).add(0.01)
        counters.cell(f"at {VALUE}".encode(), 200).add(0.01)
    assert redact.asked == 2
    for _ in range(3):
        counters.unanswered(f"bad {VALUE}", 0.01)
    counters.reported(b"pod-a", 200, f"worse {VALUE}", 0.01)
    sample = counters.sample(1.0, 1, GeneratorHealth())
    assert {name: pod.requests for name, pod in sample.pods.items()} == {"pod-a": 101, f"at {MARK}": 100}
    assert sample.errors == {f"bad {MARK}": 3, f"worse {MARK}": 1}
    assert sample.requests == 204
