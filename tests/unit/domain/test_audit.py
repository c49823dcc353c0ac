"""Why something failed, as the audit log has it: the sentence, without what may be a secret."""

from __future__ import annotations

import pytest

from scale_app.domain.audit import LONGEST_REASON, failure
from scale_app.domain.errors import PlanError, StoreUnavailable, TargetRefused


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PlanError("users", 20_000, "at most 10,000 here"), "users = 20,000 cannot be used: at most 10,000 here."),
        (PlanError("headers", "hunter2", "a name"), "headers cannot be used: a name."),
        (PlanError("until", ["hunter2"], "either"), "until cannot be used: either."),
        (TargetRefused("To http://shop.example:81/a?token=hunter2 no."), "To http://shop.example:81 no."),
        (TargetRefused("To HTTPS://ada:hunter2@shop.example: refused."), "To HTTPS://shop.example: refused."),
        (StoreUnavailable("On 'http://[::1]:5/hunter2': away."), "On 'http://[::1]:5': away."),
        (TargetRefused("Nothing, 3 of 4."), "Nothing, 3 of 4."),
        (RuntimeError("hunter2"), "RuntimeError"),
    ],
)  # fmt: skip
def test_a_failure_is_told_without_what_was_given(error: Exception, told: str) -> None:
    assert failure(error) == told


def test_a_failure_is_no_longer_than_a_row_can_be_read() -> None:
    assert len(failure(TargetRefused("x" * 10_000))) == LONGEST_REASON
