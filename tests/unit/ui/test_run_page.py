"""What is said of a baseline's name stays until another one is typed."""

import pytest

from scale_app.ui.runs.run_page import OneRunPage


@pytest.mark.parametrize(("typed", "said"), [("a/b", "A name has no slash."), ("a/", ""), ("", "")])
def test_an_entry_that_tells_the_same_name_again_takes_nothing_back(typed: str, said: str) -> None:
    page = OneRunPage(_reflex_internal_init=True)
    page.baseline_name, page.baseline_problem = "a/b", "A name has no slash."
    page.event_handlers["type_baseline"].fn(page, typed)
    assert (page.baseline_name, page.baseline_problem) == (typed, said)
