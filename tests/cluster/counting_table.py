"""The table of docs/counting.md: every source of counts against the pods' own truth, as measured.

`python -m tests.cluster.counting_table` writes the page from build/counting.json, which the tests write.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster.layout import PROJECT

MEASURED = PROJECT / "build" / "counting.json"
PAGE = PROJECT / "docs" / "counting.md"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True, slots=True)
class Row:
    """One source in one case.

    sent: requests that the run sent. counted: of them, ascribed to a pod. wrong: the largest difference between what
    a pod answered and what was ascribed to it. lag_ms: how old the newest counts were. cost_ms: how long one reading
    of all pods took; None where nothing is read beside the answers.
    """

    source: str
    case: str
    sent: int
    counted: int
    wrong: int
    lag_ms: float | None
    cost_ms: float | None


def row_of(
    source: str,
    case: str,
    counted: Mapping[str, int],
    answered: Mapping[str, int],
    sent: int,
    lag_ms: float | None,
    cost_ms: float | None,
) -> Row:
    """counted, answered: {pod name: requests}, by the run and by the pods themselves."""
    differences = [abs(counted.get(name, 0) - answered.get(name, 0)) for name in counted.keys() | answered.keys()]
    return Row(source, case, sent, sum(counted.values()), max(differences, default=0), lag_ms, cost_ms)


def keep(row: Row, file: Path = MEASURED) -> None:
    """Put the row among those measured, in place of an older one of the same source and case."""
    rows = [each for each in rows_in(file) if (each.source, each.case) != (row.source, row.case)]
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps([asdict(each) for each in (*rows, row)], indent=1) + "\n")


def rows_in(file: Path = MEASURED) -> list[Row]:
    """Those measured so far."""
    return [Row(**each) for each in json.loads(file.read_text())] if file.exists() else []


def table_of(rows: list[Row]) -> str:
    """The rows in Markdown, in their order."""
    head = "| source | case | sent | counted | wrong at the worst pod | lag | a reading takes |"
    return "\n".join((head, "|---|---|--:|--:|--:|--:|--:|", *(_line(row) for row in rows)))


def write_page(page: Path = PAGE, rows: list[Row] | None = None) -> None:
    """Put the table between the page's marks."""
    text = page.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table_of(rows_in() if rows is None else rows)}\n{END}{after}")


def _line(row: Row) -> str:
    return (
        f"| {row.source} | {row.case} | {row.sent:,} | {row.counted:,} | {row.wrong:,} "
        f"| {_milliseconds(row.lag_ms)} | {_milliseconds(row.cost_ms)} |"
    )


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1_000:.1f} s" if value >= 1_000 else f"{value:.0f} ms"


if __name__ == "__main__":
    write_page()
