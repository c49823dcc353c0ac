"""What the page shows of who asks, and what of it their role does not allow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scale_app import wiring
from scale_app.domain.identity import CALLER, LOCAL_USER, Caller, Principal, Role, SignIn
from scale_app.identity_settings import IdentitySettings
from scale_app.ui.callers import WhoAsks, if_allowed


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(wiring, "identity", IdentitySettings)
    before = CALLER.set(None)
    yield
    CALLER.reset(before)


def seen(principal: Principal | None) -> WhoAsks:
    CALLER.set(principal and Caller(principal, "10.0.0.7"))
    tab = WhoAsks(_reflex_internal_init=True)  # type: ignore[call-arg]
    tab.look()
    return tab


def test_a_viewer_sees_who_one_is_and_why_nothing_may_be_started() -> None:
    tab = seen(Principal("ada@example.org", Role.VIEWER, SignIn.PROXY))
    assert (tab.name, tab.role) == ("ada@example.org", "viewer")
    assert tab.refused["start"].startswith(
        "ada@example.org is viewer here, and starting a run needs the role operator."
    )
    assert "needs the role admin" in tab.refused["delete"]


def test_the_reason_names_what_was_asked_for() -> None:
    refused = seen(Principal("ada", Role.VIEWER, SignIn.PROXY)).refused
    named = {
        action: sentence.partition(" here, and ")[2].partition(" needs")[0] for action, sentence in refused.items()
    }
    assert named == {
        "start": "starting a run",
        "rerun": "starting a run",
        "experiment": "starting a run",
        "edit": "editing a run",
        "stop": "stopping a run",
        "mark_baseline": "setting a baseline",
        "delete": "deleting a run",
        "save_plan": "saving a plan",
        "delete_plan": "deleting a plan",
        "demo.change": "changing the demo",
        "audit_entries": "reading the audit log",
        "tokens": "",
    }


def test_a_control_for_what_nobody_asks_for_is_no_part_of_a_page() -> None:
    with pytest.raises(ValueError, match="begin"):
        if_allowed("begin")


def test_an_operator_may_start_and_not_delete() -> None:
    tab = seen(Principal("ada@example.org", Role.OPERATOR, SignIn.OIDC))
    assert [action for action, reason in tab.refused.items() if reason] == ["delete", "delete_plan", "audit_entries"]


def test_only_whoever_this_server_signed_in_may_sign_out_here() -> None:
    ways = {way: seen(Principal("ada", Role.VIEWER, way)).may_sign_out for way in SignIn}
    assert [way for way, may in ways.items() if may] == [SignIn.OIDC]


def test_where_nobody_signs_in_no_name_is_shown_and_nothing_is_refused() -> None:
    tab = seen(LOCAL_USER)
    assert (tab.name, set(tab.refused.values()), tab.warning) == ("", {""}, "")


def test_that_everybody_is_admin_is_told_where_it_was_said_on_purpose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "identity", lambda: IdentitySettings(auth="none"))
    assert seen(LOCAL_USER).warning.startswith("Nobody signs in (SCALE_AUTH=none)")


def test_nobody_may_nothing() -> None:
    tab = seen(None)
    assert tab.name == ""
    assert tab.refused["start"].startswith("This server answers only to those it knows")
