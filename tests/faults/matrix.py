"""All cells, in the order in which they are tried and told."""

from __future__ import annotations

from tests.faults import clients, databases, processes
from tests.faults.cells import CELLS, Cell

PARTS = (processes, databases, clients)


def cells() -> list[Cell]:
    """Every cell; those of one fault together."""
    assert all(PARTS)  # importing them is what fills the matrix
    return list(CELLS)
