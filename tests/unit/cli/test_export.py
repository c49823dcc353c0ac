"""A file that an export writes is there in whole or not at all."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path

import pytest

from scale_app.cli.client import LocalClient
from scale_app.cli.commands import CannotStart
from scale_app.cli.ended_runs import _exported, _whole_file, _write, run_of_file
from tests.unit.service.harness import Harness, settled


def test_a_file_is_there_once_all_of_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    with _whole_file(path) as file:
        file.write(b"some")
        assert not path.exists()
    assert path.read_bytes() == b"some"
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(b"of yesterday")
    with pytest.raises(ZeroDivisionError), _whole_file(path) as file:
        file.write(b"some" * (1 // 0))
    assert path.read_bytes() == b"of yesterday"
    assert [each.name for each in tmp_path.iterdir()] == ["run.json"]


def test_a_pipe_is_written_into_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)  # without one, opening it to write would wait for ever
    with _whole_file(pipe) as file:
        file.write(b"some")
    assert os.read(reader, 99) == b"some"
    os.close(reader)
    assert pipe.is_fifo()
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_what_a_link_leads_to_is_written_and_the_link_stays(tmp_path: Path) -> None:
    """As /dev/stdout is one, to a file where a shell has redirected it."""
    link = tmp_path / "stdout"
    link.symlink_to(tmp_path / "redirected")
    for content in (b"some", b"more"):
        with _whole_file(link) as file:
            file.write(content)
        assert (link.is_symlink(), (tmp_path / "redirected").read_bytes()) == (True, content)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["redirected", "stdout"]


def test_a_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="cannot be written"), _whole_file(tmp_path / "nowhere" / "run.json"):
        pass


async def test_a_file_is_called_by_the_runs_id_however_little_of_it_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness()

    @asynccontextmanager
    async def opened(_server: str | None, reads_only: bool) -> AsyncIterator[LocalClient]:
        yield LocalClient(harness.hub)

    monkeypatch.setattr("scale_app.cli.ended_runs.opened", opened)
    monkeypatch.chdir(tmp_path)
    run_id = await harness.started()
    path, _ = await _exported(None, run_id[:3], "json", None)
    assert path == Path(f"scale-{run_id[:8]}.json")
    assert run_of_file(str(path)).record.run_id == run_id
    await harness.close()


async def test_an_export_says_what_of_the_run_cannot_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    harness = Harness()
    run_id = await harness.started()
    harness.load.end(1)
    await settled()
    for told in ("", f"The plan of run {run_id} cannot be read.\n"):
        file = BytesIO()
        assert await _write(LocalClient(harness.hub), run_id, "json", file) == len(file.getvalue()) > 0
        assert capsys.readouterr().err == told
        harness.store.damage(run_id)
    await harness.close()
