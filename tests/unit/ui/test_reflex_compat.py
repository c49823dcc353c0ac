"""What Scale touches of Reflex is in the installed version as it was when that was written."""

from pathlib import Path

import pytest
import reflex as rx
import reflex_base

from scale_app.ui.reflex_compat import (
    OWN_OVERLAY,
    REPLACEMENTS,
    UPDATE_EVENT,
    BrowserLocationPlugin,
    follow_location,
    lost_connection,
    replaces_a_base_method,
    slider_parts,
    state_update,
)

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


class CompatState(rx.State):
    order: str = "name"

    @replaces_a_base_method
    def dict(self, *args, **more):
        return {"renewed": super().dict(*args, **more)}


def test_an_update_is_worded_as_reflex_words_a_states_own_change():
    state = CompatState(_reflex_internal_init=True)
    state.order = "share"
    name = CompatState.get_full_name()
    assert state_update({CompatState: {"order": "share"}}).delta[name] == state.get_delta()[name]


def test_the_browser_listens_to_updates_by_this_name():
    assert f'socket.current.on("{UPDATE_EVENT}"' in SCRIPT


def test_a_state_may_say_itself_how_it_is_sent_whole():
    assert "renewed" in CompatState(_reflex_internal_init=True).dict()


def test_reflex_wraps_the_app_in_its_own_messages_under_this_key():
    assert OWN_OVERLAY in rx.App().app_wraps


def test_the_lost_connection_is_a_variable_of_the_browser():
    assert str(lost_connection()) == "(connectErrors.length > 0)"


def test_the_bare_slider_has_parts():
    parts = slider_parts()
    assert all(hasattr(parts, part) for part in ("root", "track", "range", "thumb"))
