"""docs/findings.md tells what the code tells."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest

from scale_app.domain.findings import CAUSES
from tests.finding_pictures import FOLDER, MEASURED, SIMULATED, picture, sections, simulated

PAGE = Path(__file__).parents[4] / "docs" / "findings.md"
RUNS, ADDING = "## Runs that showed them\n", "## Adding one\n"
MOST_BYTES = 1_500_000
HEAD = ["| Code | Finding | Cause | Evidence | Remedy |", "| --- | --- | --- | --- | --- |"]


def table() -> str:
    """The page's table, one row per cause in the order of the code."""
    rows = [f"| `{c.code}` | {c.title} | {c.cause} | {c.shown_by} | {c.remedy} |" for c in CAUSES]
    return "\n".join(HEAD + rows)


def page_by_code() -> str:
    """The page with what the code says in its two places."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(HEAD[0])
    _, runs, shown = rest.partition(RUNS)
    introduction, _, _ = shown.partition("| ")
    _, adding, last = shown.partition(ADDING)
    return f"{before}{table()}\n\n{runs}{introduction}{sections()}\n{adding}{last}"


def test_the_page_has_the_table_the_pictures_and_the_patches_of_the_code(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page_by_code(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == page_by_code(), f"{PAGE.name} is not what the code says: --update-golden"


def test_there_is_a_picture_of_each_cause() -> None:
    assert {each.stem for each in FOLDER.iterdir()} == {cause.code for cause in CAUSES}
    assert sum(each.stat().st_size for each in FOLDER.iterdir()) < MOST_BYTES


@pytest.mark.parametrize("code", SIMULATED)
def test_a_simulated_picture_is_the_products_own(code: str, request: pytest.FixtureRequest) -> None:
    kept, made = FOLDER / f"{code}.svg", picture(simulated(code))
    if request.config.getoption("--update-golden"):
        kept.write_text(made)
    assert kept.read_text() == made, f"{code}.svg is not what the product draws: pytest --update-golden"


@pytest.mark.parametrize("code", MEASURED)
def test_a_measured_picture_shows_what_the_product_still_calls_so(code: str) -> None:
    title = next(cause.title for cause in CAUSES if cause.code == code)
    drawn = (FOLDER / f"{code}.svg").read_text()
    assert f"<title>{escape(title)}: " in drawn
    assert "measured at the demo" in drawn


def test_no_code_is_given_twice() -> None:
    assert len({cause.code for cause in CAUSES}) == len(CAUSES)
