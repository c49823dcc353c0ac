"""What every AccessStore promises, asked of the fake, of SQLite and, where it is installed, of PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from scale_app.adapters.store import SqlAccessStore, migrate
from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.identity import Role
from scale_app.identity_ports import AccessStore
from tests.contract.conftest import DATABASES
from tests.fakes_access import FakeAccessStore
from tests.postgres import Postgres

TOKEN = AccessToken("t1", "deploy ü", "ada@example.org", Role.OPERATOR, 100.25, expires_at_epoch_s=200.0)
ENTRY = AuditEntry(100.0, "ada@example.org", "operator", "start a run", "run-1", "10.0.0.7", allowed=True)
DIGEST = "ab" * 32


@pytest.fixture(params=["fake", "sqlite", "postgres"])
async def access(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AccessStore]:
    if request.param == "fake":
        yield FakeAccessStore()
        return
    url = f"sqlite+aiosqlite:///{tmp_path}/scale.db"
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        url = await server.create_database(f"access{next(DATABASES)}")
    await migrate(url)
    kept = SqlAccessStore(url)
    yield kept
    await kept.close()


async def test_a_token_comes_back_as_it_was_kept(access: AccessStore) -> None:
    await access.add_token(TOKEN, DIGEST)
    await access.add_token(replace(TOKEN, id="t2", made_at_epoch_s=101.0, expires_at_epoch_s=None), "cd" * 32)
    assert [token.id for token in await access.tokens()] == ["t2", "t1"]
    assert (await access.tokens())[1] == TOKEN


async def test_a_token_that_is_kept_twice_stays_as_it_is(access: AccessStore) -> None:
    await access.add_token(TOKEN, DIGEST)
    await access.add_token(replace(TOKEN, name="other"), "cd" * 32)
    assert await access.valid_tokens(150.0) == [(TOKEN, DIGEST)]


async def test_a_token_is_valid_until_it_expires(access: AccessStore) -> None:
    await access.add_token(TOKEN, DIGEST)
    await access.add_token(replace(TOKEN, id="t2", expires_at_epoch_s=None), "cd" * 32)
    assert [token.id for token, _ in await access.valid_tokens(199.9)] == ["t1", "t2"]
    assert [token.id for token, _ in await access.valid_tokens(200.0)] == ["t2"]


async def test_a_revoked_token_is_listed_and_not_valid(access: AccessStore) -> None:
    await access.add_token(TOKEN, DIGEST)
    await access.revoke_token("t1", 120.0)
    await access.revoke_token("t1", 130.0)
    await access.revoke_token("nobody\x00 knows", 130.0)
    assert await access.valid_tokens(150.0) == []
    assert await access.tokens() == [replace(TOKEN, revoked_at_epoch_s=120.0)]


async def test_when_a_token_was_last_used_is_noted(access: AccessStore) -> None:
    await access.add_token(TOKEN, DIGEST)
    await access.used_token("t1", 140.0)
    await access.used_token("unknown", 140.0)
    assert await access.tokens() == [replace(TOKEN, last_used_at_epoch_s=140.0)]


async def test_a_session_lasts_until_it_expires_or_is_ended(access: AccessStore) -> None:
    await access.add_session(DIGEST, '{"name": "ada"}', 200.0)
    assert await access.session(DIGEST, 199.9) == '{"name": "ada"}'
    assert await access.session(DIGEST, 200.0) is None
    assert await access.session("other\x00", 100.0) is None
    await access.end_session(DIGEST)
    await access.end_session(DIGEST)
    assert await access.session(DIGEST, 100.0) is None


async def test_audit_entries_come_newest_first_and_in_pages(access: AccessStore) -> None:
    for number in range(3):
        await access.add_audit(replace(ENTRY, subject=f"run-{number}"))
    await access.add_audit(replace(ENTRY, at_epoch_s=99.0, subject="before"))
    listed = [entry.subject for entry in await access.audit(10, 0)]
    assert listed == ["run-2", "run-1", "run-0", "before"]
    assert [entry.subject for entry in await access.audit(2, 1)] == ["run-1", "run-0"]
    assert await access.count_audit() == 4


@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * 10_000, "'; DROP TABLE runs; --"])
async def test_any_text_can_stand_in_the_audit_log(access: AccessStore, text: str) -> None:
    await access.add_audit(AuditEntry(1.0, text, "", text, text, text, allowed=False, reason=text))
    assert not (await access.audit(1, 0))[0].allowed


async def test_what_is_too_old_is_forgotten_and_nothing_else(access: AccessStore) -> None:
    await access.add_session("old", "{}", 150.0)
    await access.add_session("new", "{}", 151.0)
    await access.add_audit(replace(ENTRY, at_epoch_s=99.9))
    await access.add_audit(ENTRY)
    await access.forget(150.0, 100.0)
    assert await access.session("old", 100.0) is None
    assert await access.session("new", 100.0) == "{}"
    assert await access.audit(9, 0) == [ENTRY]
