"""A backup holds everything, whichever database it is made of and restored into; what cannot be is one sentence."""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from scale_app.adapters.store import SqlAccessStore, SqlRunStore, backup_checks, migrate
from scale_app.adapters.store.backup import back_up
from scale_app.adapters.store.backup import restore as restore_into
from scale_app.adapters.this_machine import single_instance
from scale_app.domain.audit import AccessToken, AuditEntry
from scale_app.domain.errors import BackupRefused, StoreUnavailable
from scale_app.domain.events import SnapshotTaken, StateChanged
from scale_app.domain.identity import Role
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord, SavedPlan
from scale_app.domain.snapshot import RunState, Source
from scale_app.wiring import restored
from tests.fakes import FakeClock, a_snapshot
from tests.old_databases import old_database
from tests.postgres import Postgres, postgres_here
from tests.recorded import lines_of, whole_run

NUMBERS = itertools.count()
BOTH = ("sqlite", "postgres")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with postgres_here() as server:
        yield server


@pytest.fixture(params=BOTH)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await empty(request, tmp_path)


@pytest.fixture(params=BOTH)
async def other(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return await empty(request, tmp_path)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path}/scale.db"


async def empty(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{folder}/{next(NUMBERS)}.db"
    server: Postgres = request.getfixturevalue("postgres")
    return await server.create_database(f"backup{next(NUMBERS)}")


async def fill(url: str, run_id: str = "run-1") -> None:
    await migrate(url)
    store = SqlRunStore(url, FakeClock())
    await store.create(RunRecord(run_id, LoadPlan(users=7, body="ü\x00"), Source.DEMO, RunState.RUNNING, 1.5))
    shots = [SnapshotTaken(float(n), a_snapshot(run_id, seq=n, requests=range(n, n + 50))) for n in range(120)]
    await store.append(run_id, 0, [*shots, StateChanged(120.0, RunState.FINISHED)])
    await store.record(run_id, 0, whole_run().recording)
    await store.mark_baseline(run_id, "main")
    await store.save_plan(SavedPlan("nightly", LoadPlan(users=8), 2.5))
    await store.close()


async def everything(url: str) -> object:
    store = SqlRunStore(url, FakeClock())
    try:
        runs = await store.runs(99, 0)
        whole = [
            (
                await store.run(run.run_id),
                await store.events(run.run_id),
                await store.points(run.run_id),
                await store.pod_counts(run.run_id, 200),
                await lines_of(store, run.run_id),
            )
            for run in runs
        ]
        return runs, whole, await store.plans()
    finally:
        await store.close()


async def test_a_backup_of_any_database_is_restored_into_any(url: str, other: str, tmp_path: Path) -> None:
    await fill(url)
    size = await back_up(url, tmp_path / "backup")
    assert size == (tmp_path / "backup").stat().st_size
    assert await restore_into(other, tmp_path / "backup") == "1 run and 1 saved plan"
    assert await everything(other) == await everything(url)
    store = SqlRunStore(other, FakeClock())
    await store.delete("run-1")
    await fill(other, "run-2")
    await store.close()
    assert [name for name in names_in(tmp_path) if not name[0].isdigit()] == ["backup"]


async def test_tokens_and_the_audit_log_are_in_a_backup_and_sessions_are_not(
    url: str, other: str, tmp_path: Path
) -> None:
    await migrate(url)
    token = AccessToken("t1", "deploy", "ada@example.org", Role.OPERATOR, 1.5)
    entry = AuditEntry(2.5, "ada@example.org", "admin", "starting a run", "run-1", "10.0.0.7", allowed=True)
    access = SqlAccessStore(url)
    await access.add_token(token, "ab" * 32)
    await access.add_session("cd" * 32, "{}", 1e10)
    await access.add_audit(entry)
    await access.close()
    await back_up(url, tmp_path / "backup")
    await migrate(other)
    before = SqlAccessStore(other)
    await before.add_session("ef" * 32, "{}", 1e10)
    await before.close()
    assert await restore_into(other, tmp_path / "backup") == "1 token"
    restored = SqlAccessStore(other)
    assert await restored.valid_tokens(10.0) == [(token, "ab" * 32)]
    assert await restored.audit(9, 0) == [entry]
    assert [await restored.session(digest * 32, 1.0) for digest in ("cd", "ef")] == [None, None]
    await restored.add_audit(entry)
    assert await restored.count_audit() == 2
    await restored.close()


async def test_a_database_that_holds_runs_is_left_as_it_is_unless_forced(url: str, tmp_path: Path) -> None:
    await fill(url)
    await back_up(url, tmp_path / "backup")
    store = SqlRunStore(url, FakeClock())
    await store.delete("run-1")
    await store.close()
    await fill(url, "run-2")
    before = await everything(url)
    with pytest.raises(BackupRefused, match=r"holds 1 run and 1 saved plan, which .* --force"):
        await restore_into(url, tmp_path / "backup")
    assert await everything(url) == before
    assert await restore_into(url, tmp_path / "backup", replace=True) == "1 run and 1 saved plan"
    store = SqlRunStore(url, FakeClock())
    assert [run.run_id for run in await store.runs(9, 0)] == ["run-1"]
    await store.close()


async def test_a_backup_is_made_while_a_run_is_stored(url: str, tmp_path: Path) -> None:
    await fill(url)
    store, ended = SqlRunStore(url, FakeClock()), asyncio.Event()
    await store.create(RunRecord("live", LoadPlan(), Source.DEMO, RunState.RUNNING, 3.0))

    async def go_on() -> int:
        for n in range(10_000):
            await store.append("live", n, [SnapshotTaken(float(n), a_snapshot("live", seq=n))])
            if ended.is_set():
                return n + 1
        raise AssertionError("the backup never came to its end")

    going = asyncio.create_task(go_on())
    await back_up(url, tmp_path / "backup")
    ended.set()
    stored = await going
    assert len(await store.points("live")) == stored
    await store.close()
    kept = SqlRunStore(f"sqlite+aiosqlite:///{tmp_path}/backup", FakeClock())
    points = await kept.points("live")
    last = (await kept.run("live")).last
    await kept.close()
    assert [point.elapsed_s for point in points] == [float(n) for n in range(len(points))]
    assert (last.seq + 1 if last else 0) == len(points) <= stored


async def test_a_backup_of_an_older_version_is_restored(url: str, tmp_path: Path) -> None:
    old_database("0004", tmp_path / "backup")
    before = (tmp_path / "backup").read_bytes()
    assert await restore_into(url, tmp_path / "backup") == "4 runs and 1 saved plan"
    assert (tmp_path / "backup").read_bytes() == before
    store = SqlRunStore(url, FakeClock())
    assert [run.run_id for run in await store.runs(9, 0)] == ["cut", "failed", "even", "uneven"]
    await store.close()


async def test_a_damaged_database_can_be_replaced_by_a_backup(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    await back_up(sqlite_url, tmp_path / "backup")
    before = await everything(sqlite_url)
    (tmp_path / "scale.db").write_bytes(b"no database any more, " * 999)
    with pytest.raises(StoreUnavailable, match="file is not a database"):
        await restore_into(sqlite_url, tmp_path / "backup")
    await restore_into(sqlite_url, tmp_path / "backup", replace=True)
    assert await everything(sqlite_url) == before


SPOILT = ["text", "nothing", "missing", "folder", "pipe", "cut", "flipped", "someone else's", "newer"]


@pytest.mark.parametrize("kind", SPOILT)
async def test_what_is_no_backup_changes_nothing(kind: str, sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    before = await everything(sqlite_url)
    said = await spoilt(kind, sqlite_url, tmp_path / "backup")
    with pytest.raises(BackupRefused) as refused:
        await restore_into(sqlite_url, tmp_path / "backup", replace=True)
    assert said in str(refused.value)
    assert str(tmp_path / "backup") in str(refused.value)
    assert "Nothing was changed." in str(refused.value)
    assert await everything(sqlite_url) == before


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


FAKES = {
    "pipe": lambda file: os.mkfifo(file) or "is a pipe or a device; a file is needed",
    "folder": lambda file: file.mkdir() or "Is a directory",
    "missing": lambda file: "No such file",
    "text": lambda file: file.write_text("users: 7\n" * 99) and "is not a backup",
    "nothing": lambda file: file.write_text("") or "is not a backup",
}
SPOILING = {"newer": "UPDATE alembic_version SET version_num = 9999", "someone else's": "DROP TABLE alembic_version"}


async def spoilt(kind: str, url: str, file: Path) -> str:
    """Make the file; what is to be said of it."""
    if kind in FAKES:
        return FAKES[kind](file)
    await back_up(url, file)
    return spoil(kind, file)


def spoil(kind: str, file: Path) -> str:
    whole = file.read_bytes()
    if kind == "cut":
        file.write_bytes(whole[: len(whole) // 2])
        return "is damaged"
    if kind == "flipped":
        file.write_bytes(whole[:4096] + b"\xff" * 8192 + whole[12288:])
        return "is damaged"
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(SPOILING[kind])
    connection.close()
    return "newer version of Scale" if kind == "newer" else "not one of Scale's"


async def test_a_database_that_a_server_uses_is_not_replaced(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    await back_up(sqlite_url, tmp_path / "backup")
    with single_instance(sqlite_url), pytest.raises(StoreUnavailable, match="Another Scale on this machine"):
        await restored(sqlite_url, tmp_path / "backup", True)


async def test_a_postgresql_that_others_use_is_not_replaced_unless_forced(postgres: Postgres, tmp_path: Path) -> None:
    url = await postgres.create_database(f"backup{next(NUMBERS)}")
    await fill(f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    await back_up(f"sqlite+aiosqlite:///{tmp_path}/scale.db", tmp_path / "backup")
    await migrate(url)
    server = SqlRunStore(url, FakeClock())
    assert await server.count() == 0
    with pytest.raises(BackupRefused, match=r"is in use: it has \d+ other connections.*Stop the server"):
        await restore_into(url, tmp_path / "backup")
    await restore_into(url, tmp_path / "backup", replace=True)
    assert await server.count() == 1
    await server.close()


async def test_a_file_that_is_there_is_replaced_only_when_asked(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    (tmp_path / "backup").write_text("precious")
    with pytest.raises(BackupRefused, match=r"exists\. Give another name, or --force"):
        await back_up(sqlite_url, tmp_path / "backup")
    assert (tmp_path / "backup").read_text() == "precious"
    await back_up(sqlite_url, tmp_path / "backup", replace=True)
    await restore_into(f"sqlite+aiosqlite:///{tmp_path}/new.db", tmp_path / "backup")


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("folder", "folder is a folder. Give the name of a file"),
        ("scale.db", "scale.db is the database itself"),
        ("folder/../scale.db-wal", "is the database itself"),
        ("n" * 254, "cannot be written .File name too long."),
    ],
)
async def test_what_cannot_be_a_backup_is_refused_for_what_it_is(
    sqlite_url: str, tmp_path: Path, name: str, said: str, replace: bool
) -> None:
    await fill(sqlite_url)
    (tmp_path / "folder").mkdir()
    with pytest.raises(BackupRefused, match=said) as refused:
        await back_up(sqlite_url, tmp_path / name, replace)
    assert "--force" not in str(refused.value)
    assert names_in(tmp_path) == ["folder", "scale.db"]


NO_FILES = {"pipe": os.mkfifo, "link": lambda file: file.symlink_to(file.with_name("elsewhere"))}


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("kind", NO_FILES)
async def test_what_is_no_file_is_not_replaced_by_a_backup(
    sqlite_url: str, tmp_path: Path, kind: str, replace: bool
) -> None:
    await fill(sqlite_url)
    NO_FILES[kind](tmp_path / kind)
    was = os.lstat(tmp_path / kind)
    with pytest.raises(BackupRefused, match=rf"{kind} is a link, a pipe or a device.*Give the name of a file"):
        await back_up(sqlite_url, tmp_path / kind, replace)
    assert (os.lstat(tmp_path / kind), names_in(tmp_path)) == (was, sorted([kind, "scale.db"]))


async def test_a_database_that_is_no_file_is_not_replaced_by_what_is_restored(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    await back_up(sqlite_url, tmp_path / "backup")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackupRefused, match="pipe is a link, a pipe or a device"):
        await restore_into(f"sqlite+aiosqlite:///{tmp_path}/pipe", tmp_path / "backup", replace=True)
    assert (tmp_path / "pipe").is_fifo()


async def test_a_database_that_is_reached_by_a_link_is_restored_where_the_link_leads(
    sqlite_url: str, tmp_path: Path
) -> None:
    await fill(sqlite_url)
    await back_up(sqlite_url, tmp_path / "backup")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder" / "new.db")
    await restore_into(f"sqlite+aiosqlite:///{tmp_path}/link", tmp_path / "backup")
    assert (tmp_path / "link").is_symlink()
    assert await everything(f"sqlite+aiosqlite:///{tmp_path}/folder/new.db") == await everything(sqlite_url)


async def test_a_database_is_not_restored_from_itself(sqlite_url: str, tmp_path: Path) -> None:
    await fill(sqlite_url)
    with pytest.raises(BackupRefused, match="is the database itself"):
        await restore_into(sqlite_url, tmp_path / "scale.db", replace=True)


async def test_nothing_can_be_backed_up_without_a_database_or_a_folder(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match=r"scale\.db does not exist, so there is nothing to back up"):
        await back_up(sqlite_url, tmp_path / "backup")
    with pytest.raises(BackupRefused, match="is not a folder"):
        await back_up(sqlite_url, tmp_path / "no" / "backup")
    assert names_in(tmp_path) == []


async def test_a_disk_without_room_is_told_before_anything_is_written(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(sqlite_url)
    await back_up(sqlite_url, tmp_path / "backup")
    usage = shutil.disk_usage(tmp_path)._replace(free=10_000)
    monkeypatch.setattr(backup_checks.shutil, "disk_usage", lambda _folder: usage)
    for doing in (back_up(sqlite_url, tmp_path / "more"), restore_into(sqlite_url, tmp_path / "backup", replace=True)):
        with pytest.raises(StoreUnavailable, match=r"needs [1-9]?\d\.\d MB in .*, where 0\.0 MB are free"):
            await doing
    assert names_in(tmp_path) == ["backup", "scale.db"]
