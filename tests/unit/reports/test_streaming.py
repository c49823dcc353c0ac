"""A run's file in pieces is the file, and holds nobody up."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from scale_app.codec import to_json
from scale_app.domain.recording import Recorded, WholeRun
from scale_app.reports import FORMATS, export
from scale_app.reports.formats import RunFile, run_to_json, written
from tests.recorded import whole_run


async def handfuls(whole: WholeRun, of: int) -> AsyncGenerator[list[Recorded], None]:
    for at in range(0, len(whole.recording), of):
        yield list(whole.recording[at : at + of])


@pytest.mark.parametrize("of", [1, 3, 100])
@pytest.mark.parametrize("name", list(FORMATS))
async def test_the_pieces_together_are_the_file(name: str, of: int) -> None:
    whole = whole_run()

    async def read(run_id: str, pods: bool) -> WholeRun:
        return replace(whole, recording=())

    written_run = written("run", name, read, lambda run_id: handfuls(whole, of))  # type: ignore[arg-type]
    pieces = [piece async for piece in written_run]
    assert b"".join(pieces) == export(whole, name).content  # type: ignore[arg-type]


@pytest.mark.parametrize("whole", [whole_run(), replace(whole_run(), recording=()), WholeRun(whole_run().record)])
def test_the_json_is_what_the_type_says(whole: WholeRun) -> None:
    assert run_to_json(whole).encode() == to_json(RunFile(1, whole, whole.gate))
    held = replace(whole, baseline=whole.record)
    assert run_to_json(held).encode() == to_json(RunFile(1, held, held.gate))
