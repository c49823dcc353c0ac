"""What holds long lists, written down in pieces, is what is written down at once."""

from __future__ import annotations

from typing import Any

import pytest

from scale_app.api.v1.shapes import EventPage, History
from scale_app.codec import AT_ONCE, in_pieces, to_json
from scale_app.domain.events import Numbered, PodChanged, StateChanged
from scale_app.domain.pod_history import PodSpans
from scale_app.domain.snapshot import RunState, point_of
from tests.fakes import a_snapshot

POINT = point_of(a_snapshot("run"))
EVENTS = (Numbered(1, PodChanged(1.0, 'a "pod"', "left")), Numbered(2, StateChanged(2.0, RunState.FINISHED)))
MANY = 2 * AT_ONCE + 1


@pytest.mark.parametrize(
    "value",
    [
        History("run", ()),
        History("run", (POINT,)),
        History("run", (POINT,) * MANY),
        EventPage("run", EVENTS * AT_ONCE, 7),
        PodSpans(),
        PodSpans(("a",) * MANY, 2.0, ((1.0, 2.0),) * MANY, ((0.5,),) * MANY),
    ],
)
def test_the_pieces_together_are_the_json(value: Any) -> None:
    assert b"".join(in_pieces(value)) == to_json(value)


def test_no_piece_holds_more_than_some_items() -> None:
    largest = max(piece.count(b"elapsed_s") for piece in in_pieces(History("run", (POINT,) * MANY)))
    assert largest == AT_ONCE
