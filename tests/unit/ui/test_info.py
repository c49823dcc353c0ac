"""Every figure has its info button where it is shown."""

import pytest

from scale_app.ui.compare import compare_page
from scale_app.ui.live.page import live_page
from scale_app.ui.runs.page import runs_page
from scale_app.ui.runs.run_page import run_page
from scale_app.ui.targets import targets_page
from scale_app.views.meanings import MEANINGS


@pytest.fixture(scope="module")
def pages():
    return [str(page()) for page in (live_page, run_page, runs_page, compare_page, targets_page)]


@pytest.mark.parametrize("about", MEANINGS)
def test_what_is_explained_can_be_opened_somewhere(pages, about):
    assert any(f'"info-{about}"' in page for page in pages)
