"""Two hubs on one database are refused, and the lock leaves no file behind."""

import tempfile
from pathlib import Path

import pytest

from scale_app.adapters.this_machine import single_instance
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
