"""The page finds its server by the browser's location, in the very script that the installed Reflex builds."""

from pathlib import Path

import pytest
import reflex_base

from scale_app.ui.browser_location import REPLACEMENTS, BrowserLocationPlugin, follow_location

SCRIPT = (Path(reflex_base.__file__).parent / ".templates/web/utils/state.js").read_text()


def test_the_installed_reflex_has_each_line_once():
    assert [SCRIPT.count(old) for old, _ in REPLACEMENTS] == [1, 1]


def test_port_follows_the_location_with_and_without_https():
    script = follow_location(SCRIPT)
    assert script.count("endpoint.port = window.location.port;") == 2
    assert 'endpoint.port = "";' not in script


def test_a_second_pass_changes_nothing():
    once = follow_location(SCRIPT)
    assert follow_location(once) == once


@pytest.mark.parametrize("script", ["", SCRIPT + REPLACEMENTS[1][0]], ids=["missing", "twice"])
def test_a_script_that_it_was_not_written_for_stops_the_build(script):
    with pytest.raises(RuntimeError, match="not once"):
        follow_location(script)


def test_the_plugin_asks_to_change_that_script():
    asked = []
    BrowserLocationPlugin().pre_compile(add_modify_task=lambda *task: asked.append(task))
    assert asked == [("utils/state.js", follow_location)]
