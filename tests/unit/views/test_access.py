"""Tokens and audit entries in words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.identity import Role
from scale_app.views.access import audit_line, token_line

TOKEN = AccessToken("t1", "nightly", "ada", Role.OPERATOR, 0.0, expires_at_epoch_s=86_400.0)
ENTRY = AuditEntry(60.0, "ada", "admin", "starting a run", "run-1", "10.0.0.7", allowed=True)


@pytest.mark.parametrize(
    ("token", "now_s", "state", "valid"),
    [
        (TOKEN, 86_399.0, "valid until 1970-01-02 00:00:00 UTC", True),
        (TOKEN, 86_400.0, "expired 1970-01-02 00:00:00 UTC", False),
        (replace(TOKEN, expires_at_epoch_s=None), 1e9, "valid until it is revoked", True),
        (replace(TOKEN, revoked_at_epoch_s=60.0), 120.0, "revoked 1970-01-01 00:01:00 UTC", False),
        (replace(TOKEN, revoked_at_epoch_s=60.0), 1e9, "revoked 1970-01-01 00:01:00 UTC", False),
    ],
)
def test_a_tokens_state_says_until_when_or_why_not(token: AccessToken, now_s: float, state: str, valid: bool) -> None:
    line = token_line(token, now_s)
    assert (line.state, line.valid) == (state, valid)


@pytest.mark.parametrize(
    ("entry", "who", "role", "outcome", "why"),
    [
        (ENTRY, "ada", "admin", "done", ""),
        (replace(ENTRY, reason="PlanError"), "ada", "admin", "failed", "PlanError"),
        (replace(ENTRY, allowed=False, reason="no right"), "ada", "admin", "refused", "no right"),
        (replace(ENTRY, who="", role="", allowed=False, reason="unknown"), "nobody", "", "refused", "unknown"),
    ],
)
def test_an_entry_says_who_and_what_came_of_it(entry: AuditEntry, who: str, role: str, outcome: str, why: str) -> None:
    line = audit_line(entry)
    assert (line.who, line.role, line.outcome, line.why) == (who, role, outcome, why)
    assert (line.at, line.address) == ("1970-01-01 00:01:00 UTC", "10.0.0.7")
