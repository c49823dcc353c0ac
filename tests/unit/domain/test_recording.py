"""A recorded run, judged again."""

from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.domain.errors import NoRecording
from scale_app.domain.events import StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.recording import replayed
from scale_app.domain.samples import LoadEnded
from scale_app.domain.snapshot import RunState
from scale_app.domain.verdict import VerdictKind
from scale_app.reports import run_from_json
from tests.recorded import EVEN, HOT, analysed, whole_run

LAYER7_KEPT = Path(__file__).parents[2] / "recordings/layer7-kept.json"


@pytest.mark.parametrize(("per_s", "verdict"), [(HOT, VerdictKind.UNEVEN), (EVEN, VerdictKind.EVEN)])
def test_a_recording_gives_the_same_run_again(per_s: tuple[int, ...], verdict: VerdictKind) -> None:
    whole = whole_run(per_s)
    assert whole.record.last is not None
    assert whole.record.last.verdict.kind is verdict
    assert replayed(whole) == whole


def test_the_figures_come_from_the_samples_not_from_what_was_kept_of_the_judgement() -> None:
    whole = whole_run()
    emptied = replace(whole, record=replace(whole.record, last=None, plan=LoadPlan(users=1)), points=(), happened=())
    assert replayed(emptied) == whole


def test_a_run_that_a_servers_end_interrupted_stays_interrupted() -> None:
    whole = whole_run()
    began, *samples = whole.recording
    cut = analysed(began, [sample for sample in samples if not isinstance(sample, LoadEnded)])
    ended = StateChanged(12.0, RunState.INTERRUPTED, "The server ended.")
    record = replace(cut.record.followed(ended, 1_700_000_012.0), message="The server ended.")
    interrupted = replace(cut, record=record, happened=(*cut.happened, ended))
    assert replayed(interrupted) == interrupted


@pytest.mark.parametrize("kept", [slice(0, 0), slice(1, None), slice(2, 5)])
def test_a_run_whose_beginning_was_not_kept_cannot_be_replayed(kept: slice) -> None:
    whole = whole_run()
    with pytest.raises(NoRecording, match="cannot be replayed"):
        replayed(replace(whole, recording=whole.recording[kept]))


def test_two_recordings_in_one_cannot_be_replayed() -> None:
    whole = whole_run()
    with pytest.raises(NoRecording, match="begins twice"):
        replayed(replace(whole, recording=whole.recording * 2))


def test_a_recording_of_an_earlier_version_that_says_only_how_many_connections_switched_is_judged_by_request() -> None:
    """Made behind a layer-7 round robin with kept connections and a warm-up, in which all of them switched."""
    replayed_run = replayed(run_from_json(LAYER7_KEPT.read_bytes()))
    last = replayed_run.record.last
    assert last is not None
    assert last.verdict.unit == "request"
    assert last.verdict.effective_picks == last.balance.requests
    assert [finding.code for finding in last.findings] == ["layer7"]
