"""A database's file is its owner's alone, with what SQLite writes beside it; a backup's is, too."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from scale_app.adapters.store import SqlAccessStore, migrate
from scale_app.adapters.store.backup import back_up

OF_ALL = ("scale.db", "scale.db-wal", "scale.db-shm")


@pytest.fixture(autouse=True)
def everybody_may_read_new_files() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def rights(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


async def rights_while_open(folder: Path) -> dict[str, int]:
    """With the database prepared and read."""
    url = f"sqlite+aiosqlite:///{folder}/scale.db"
    await migrate(url)
    store = SqlAccessStore(url)
    try:
        await store.tokens()
        return rights(folder)
    finally:
        await store.close()


async def test_a_new_database_and_its_log_are_for_their_owner_alone(tmp_path: Path) -> None:
    assert await rights_while_open(tmp_path) == dict.fromkeys(OF_ALL, 0o600)


@pytest.mark.parametrize(("before", "after"), [(0o644, 0o640), (0o666, 0o660), (0o640, 0o640), (0o600, 0o600)])
async def test_an_older_file_is_closed_to_others_and_a_group_keeps_its_rights(
    tmp_path: Path, before: int, after: int
) -> None:
    await rights_while_open(tmp_path)
    (tmp_path / "scale.db").chmod(before)
    assert await rights_while_open(tmp_path) == dict.fromkeys(OF_ALL, after)


async def test_a_backup_is_for_its_owner_alone(tmp_path: Path) -> None:
    await migrate(f"sqlite+aiosqlite:///{tmp_path}/scale.db")
    await back_up(f"sqlite+aiosqlite:///{tmp_path}/scale.db", tmp_path / "backup.db")
    assert rights(tmp_path)["backup.db"] == 0o600
