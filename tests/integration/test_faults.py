"""The short form of the fault matrix (`make faults`): telling faults at telling moments, against a real server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cells import Cell
from tests.faults.matrix import cells
from tests.serving import build_page

pytestmark = pytest.mark.alone
QUICK = [cell for cell in cells() if cell.quick]


@pytest.fixture(scope="module", autouse=True)
def page() -> None:
    build_page()


@pytest.mark.parametrize("cell", QUICK, ids=[cell.name for cell in QUICK])
def test_it_is_lived_through(cell: Cell, tmp_path: Path) -> None:
    row = cell.tried(short=True, scratch=tmp_path)
    assert row["missing"] == [], row
