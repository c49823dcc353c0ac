"""Ids of which the beginning is enough, and numbers within limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from scale_app import wiring
from scale_app.cli.client import the_one
from scale_app.cli.commands import scale
from scale_app.domain.errors import PlanError


def typed(*arguments: str) -> Result:
    for made in vars(wiring).values():
        if hasattr(made, "cache_clear"):
            made.cache_clear()
    return CliRunner().invoke(scale, list(arguments), prog_name="scale")


def test_the_beginning_of_an_id_means_the_only_one_that_begins_so() -> None:
    assert the_one("token", "ab", ["abc"]) == "abc"
    assert the_one("token", "ab", ["ab", "abc"]) == "ab"
    with pytest.raises(PlanError, match="token = 'a' cannot be used: several ids begin so, such as ab and ac: give"):
        the_one("token", "a", ["ab", "ac", "ad"])


def test_a_token_is_revoked_by_the_beginning_of_its_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCALE_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    token_id = typed("tokens", "make", "ci").stdout.partition("_")[2].partition("_")[0]
    missing = typed("tokens", "revoke", "zz")
    assert (missing.exit_code, "You have no token with the id 'zz'" in missing.stderr) == (64, True)
    assert typed("tokens", "revoke", token_id[:4]).stdout == f"Revoked {token_id}.\n"


@pytest.mark.parametrize("number", ["x", "1.5", "", "0", "501"])
def test_a_number_beyond_its_limits_is_said_in_plain_words(number: str) -> None:
    result = typed("runs", "--limit", number)
    said = f"Invalid value for '--limit': {number!r} is not a whole number from 1 to 500: see `scale runs --help`.\n"
    assert (result.exit_code, result.stderr) == (64, said)


def test_what_is_no_number_is_called_so() -> None:
    result = typed("tokens", "make", "ci", "--days", "x")
    assert (result.exit_code, "'x' is not a valid number: see" in result.stderr) == (64, True)
