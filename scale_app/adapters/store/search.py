"""Which rows a filter means."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement
from sqlmodel import col

from scale_app.adapters.store.rows import plain
from scale_app.adapters.store.tables import RunRow
from scale_app.domain.record import RunFilter


def conditions(wanted: RunFilter, without: Sequence[str] = ()) -> list[ColumnElement[bool]]:
    """One condition for each part of the filter that is given. without: ids that do not fit, whatever else they are."""
    equal = (
        (col(RunRow.state), wanted.state),
        (col(RunRow.source), wanted.source),
        (col(RunRow.verdict), wanted.verdict),
        (col(RunRow.baseline), storable(wanted.baseline)),
        (col(RunRow.experiment_of), storable(wanted.experiment_of)),
    )
    found: list[ColumnElement[bool]] = [column == str(value) for column, value in equal if value]
    if wanted.target:
        found.append(col(RunRow.target_url).icontains(storable(wanted.target), autoescape=True))
    if wanted.marked:
        found.append(col(RunRow.baseline) != "")
    if without:
        found.append(col(RunRow.id).not_in(without))
    return found


def storable(text: str) -> str:
    """Text as a driver takes it: what no stored text contains would be an error of the driver, not "none found"."""
    return plain(text).encode(errors="replace").decode()
