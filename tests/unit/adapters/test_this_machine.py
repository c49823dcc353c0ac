"""Two hubs on one database are refused, and the lock leaves no file behind."""

import tempfile
from pathlib import Path

import pytest

from scale_app.adapters.this_machine import announce, missing_file, server_beside, single_instance
from scale_app.domain.errors import StoreUnavailable


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_second_one_is_refused_while_the_first_lives_and_only_then() -> None:
    url = "sqlite+aiosqlite:///a.db"
    with single_instance(url):
        with pytest.raises(StoreUnavailable, match="Another Scale on this machine"), single_instance(url):
            pass
        with single_instance("sqlite+aiosqlite:///b.db"):
            pass
    with single_instance(url):
        pass


def test_it_leaves_no_file_behind(locks: Path) -> None:
    with single_instance("sqlite+aiosqlite:///a.db"):
        assert len(list(locks.iterdir())) == 1
    assert list(locks.iterdir()) == []


def test_who_has_the_database_is_found_by_what_it_announced_and_only_while_it_lives() -> None:
    url = "sqlite+aiosqlite:///a.db"
    assert server_beside(url) == ""
    with single_instance(url):
        assert server_beside(url) == ""
        announce(url, "http://127.0.0.1:8000")
        assert server_beside(url) == "http://127.0.0.1:8000"
        assert server_beside("sqlite+aiosqlite:///b.db") == ""
    assert server_beside(url) == ""


def test_what_a_killed_server_left_behind_is_not_believed(locks: Path) -> None:
    url = "sqlite+aiosqlite:///a.db"
    with single_instance(url):
        announce(url, "http://127.0.0.1:8000")
        (lock,) = locks.iterdir()
        left = lock.read_bytes()
    lock.write_bytes(left)
    assert server_beside(url) == ""
    with single_instance(url):
        assert server_beside(url) == ""


def test_a_file_that_others_may_write_is_not_believed(locks: Path) -> None:
    url = "sqlite+aiosqlite:///a.db"
    with single_instance(url):
        announce(url, "http://192.0.2.7/")
        (lock,) = locks.iterdir()
        assert lock.stat().st_mode & 0o777 == 0o600
        lock.chmod(0o620)
        assert server_beside(url) == ""


def test_a_database_is_missing_where_there_is_no_file(tmp_path: Path) -> None:
    file = tmp_path / "scale.db"
    url = f"sqlite+aiosqlite:///{file}"
    assert missing_file(url) == file
    file.touch()
    assert missing_file(url) is None
    assert missing_file("postgresql+asyncpg://scale@db/scale") is None


def test_those_that_share_it_hold_it_together_and_nobody_else_does(locks: Path) -> None:
    url = "sqlite+aiosqlite:///a.db"
    with single_instance(url, shared=True):
        with single_instance(url, shared=True), pytest.raises(StoreUnavailable), single_instance(url):
            pass
        with pytest.raises(StoreUnavailable), single_instance(url):
            pass
        assert len(list(locks.iterdir())) == 1
    assert list(locks.iterdir()) == []
    with single_instance(url), pytest.raises(StoreUnavailable), single_instance(url, shared=True):
        pass
