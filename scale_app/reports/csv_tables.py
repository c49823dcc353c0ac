"""Tables of a run for spreadsheets and scripts: raw figures in their units, no formatting."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import fields

from scale_app.domain.recording import WholeRun
from scale_app.domain.snapshot import PodShare, Point

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings that make a spreadsheet compute a text. A pod's name comes from an answer, so it may begin so."""


def pods_csv(whole: WholeRun) -> str:
    """A row for each pod: the fields of PodShare."""
    last = whole.record.last
    return _table([field.name for field in fields(PodShare)], last.pods if last else ())


def seconds_csv(whole: WholeRun) -> str:
    """A row for each second: the fields of Point."""
    return _table([field.name for field in fields(Point)], whole.points)


def _table(names: Sequence[str], rows: Iterable[object]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value
