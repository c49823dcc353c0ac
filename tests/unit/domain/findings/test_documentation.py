"""docs/findings.md tells what the code tells."""

from __future__ import annotations

from pathlib import Path

from scale_app.domain.findings import CAUSES

PAGE = Path(__file__).parents[4] / "docs" / "findings.md"
HEAD = ["| Code | Finding | Cause | Evidence | Remedy |", "| --- | --- | --- | --- | --- |"]


def table() -> str:
    """The page's table, one row per cause in the order of the code."""
    rows = [f"| `{c.code}` | {c.title} | {c.cause} | {c.shown_by} | {c.remedy} |" for c in CAUSES]
    return "\n".join(HEAD + rows)


def patches() -> str:
    """What the page says can be put into a manifest."""
    return "\n\n".join(f"`{c.code}`\n```yaml\n{c.patch}```" for c in CAUSES if c.patch)


def test_the_page_has_the_table_and_the_patches_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, f"put this table into {PAGE.name}:\n{table()}"
    assert patches() in page, f"put these patches into {PAGE.name}:\n{patches()}"


def test_no_code_is_given_twice() -> None:
    assert len({cause.code for cause in CAUSES}) == len(CAUSES)
