"""`scale build`: the page, built once from exactly the sources that are here."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import click

from scale_app.cli.commands import CannotStart

CONFIG_FILE = Path("rxconfig.py")
WEB = Path(".web")
PAGE = WEB / "build/client/index.html"
BUILT_FROM = WEB / "built-from"
PAGE_SOURCES = ("rxconfig.py", "requirements.lock", "assets/**/*", "reflex.lock/**/*", "scale_app/**/*.py")


@click.command()
@click.option("--force", is_flag=True, help="Build even when nothing changed since the last build.")
def build(force: bool) -> None:
    """Build the page if its sources have changed."""
    require_project()
    if not force and page_is_current():
        return
    click.echo("Building the page (seconds; longer the first time) ...", err=True)
    _clear_earlier_build()
    _export_page()
    # Now, not before: the first build may complete reflex.lock/, which belongs to the sources.
    BUILT_FROM.write_text(page_fingerprint(Path()))


def require_project() -> None:
    """Reflex reads rxconfig.py and .web/ in the current folder. Raises CannotStart."""
    if not CONFIG_FILE.is_file():
        raise CannotStart(f"There is no rxconfig.py in {Path.cwd()}: start `scale` in the project's folder.")


def page_is_current() -> bool:
    """True when the page exists and was built from exactly the sources that are here."""
    return PAGE.is_file() and BUILT_FROM.is_file() and BUILT_FROM.read_text() == page_fingerprint(Path())


def page_fingerprint(root: Path) -> str:
    """What the page is made of, as one hash: names and contents of every file that can change it."""
    digest = hashlib.sha256(sys.version.encode())
    for path in sorted({path for pattern in PAGE_SOURCES for path in root.glob(pattern) if path.is_file()}):
        digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _clear_earlier_build() -> None:
    """Remove all but the downloaded packages: Reflex keeps scripts that an earlier build changed."""
    for entry in WEB.iterdir() if WEB.is_dir() else ():
        if entry.is_dir() and not entry.is_symlink():
            if entry.name != "node_modules":
                shutil.rmtree(entry)
        else:
            entry.unlink()


def _export_page() -> None:
    """Raises CannotStart with the end of the build's output."""
    command = [sys.executable, "-m", "reflex", "export", "--frontend-only", "--no-zip"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode or not PAGE.is_file():
        click.echo(done.stdout, err=True)
        raise CannotStart(
            f"Building the page with `reflex export` ended with exit code {done.returncode}: "
            "fix what it reports above and run `scale build` again."
        )
