"""`make faults`: try every fault of the matrix, print the table, write build/faults.json and docs/reliability.md.

Options: --short (some minutes' outages take seconds), --only TEXT (cells whose name has it), --docs (write the table).
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.machine import circumstances
from tests.faults.cells import CELLS
from tests.faults.matrix import cells

RESULTS = Path("build/faults.json")
PAGE = Path("docs/reliability.md")
BEGIN, END = "<!-- begin of the table -->", "<!-- end of the table -->"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--docs", action="store_true")
    asked = parser.parse_args()
    load_before = os.getloadavg()[0]
    rows = [_tried(each, asked.short) for each in cells() if asked.only in each.name]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(rows, indent=1))
    measured = circumstances(load_before)
    (RESULTS.parent / "faults-machine.json").write_text(json.dumps(measured, indent=1))
    if asked.docs:
        _write_page(rows, measured)
    bad = [row for row in rows if row["ok"] is False]
    print(f"{len(rows)} faults tried, {len(bad)} not as they should be; {len(CELLS)} in the matrix.")
    return 1 if bad else 0


def _tried(each: Any, short: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="scale-faults-") as scratch:
        row: dict[str, Any] = each.tried(short, Path(scratch))
    mark = {True: "ok  ", False: "BAD ", None: "skip"}[row["ok"]]
    why = "; ".join(row["missing"]) or row.get("skipped", "")
    print(
        f"{mark} {each.name} ({row.get('took_s', 0)} s): {row['seen']} | {row['kept']} | {row['said']} {why}",
        flush=True,
    )
    return row


def _write_page(rows: list[dict[str, Any]], measured: dict[str, Any]) -> None:
    lines = ["| fault | moment | seen | kept | said | |", "|---|---|---|---|---|---|"]
    for row in rows:
        mark = {True: "ok", False: "**no**", None: "not tried"}[row["ok"]]
        texts = (row["fault"], row["moment"], row["seen"], row["kept"], row["said"] or "-", mark)
        lines.append("| " + " | ".join(text.replace("|", "/").replace("\n", " ") for text in texts) + " |")
    machine = measured["machine"]
    lines.append(f"\nMeasured on {measured['date']}: {machine['cores']} x86-64 cores, Python {machine['python']}.")
    before, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    raise SystemExit(main())
