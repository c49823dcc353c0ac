from pathlib import Path

import pytest

from scale_app.cli import build


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a built project, and the current one."""
    (tmp_path / "rxconfig.py").write_text("config = 1\n")
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets/logo.svg").write_text("<svg/>")
    page = tmp_path / build.PAGE
    page.parent.mkdir(parents=True)
    page.write_text("<html>")
    monkeypatch.chdir(tmp_path)
    return tmp_path
