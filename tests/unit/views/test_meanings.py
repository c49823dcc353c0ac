"""Every figure has an explanation that is complete."""

import pytest

from scale_app.ui.display import info
from scale_app.views.meanings import MEANINGS


@pytest.mark.parametrize("about", MEANINGS)
def test_an_explanation_says_what_a_figure_means_and_where_it_comes_from(about):
    told = MEANINGS[about]
    assert told.name
    assert told.meaning.endswith(".")
    assert told.source


def test_no_two_figures_have_the_same_name():
    assert len({told.name for told in MEANINGS.values()}) == len(MEANINGS)


def test_a_button_for_an_unknown_figure_stops_the_build():
    with pytest.raises(KeyError):
        info("no_such_figure")
