"""The `scale` command: build the page, serve page, API and WebSocket on one port.

Exit codes: 0 after Ctrl-C or SIGTERM, 1 for what can be put right and tried again (a port in use, a database away),
64 for a setting that is not accepted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import click
from granian.constants import Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from starlette.applications import Starlette

from scale_app.domain.errors import ScaleError, SettingsError
from scale_app.settings import Settings, load_settings

EXIT_TRY_AGAIN = 1
EXIT_BAD_SETTING = 64

CONFIG_FILE = Path("rxconfig.py")
WEB = Path(".web")
PAGE = WEB / "build/client/index.html"
BUILT_FROM = WEB / "built-from"
PAGE_SOURCES = ("rxconfig.py", "requirements.lock", "assets/**/*", "reflex.lock/**/*", "scale_app/**/*.py")

# Reflex compiles the page at each start unless told that it is built, and serves it only when told so. The last two
# are Reflex's internal switches: requirements.txt pins the version, tests/integration/test_image_layout.py holds it.
SERVE_BUILT_PAGE = {
    "REFLEX_ENV_MODE": "prod",
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
}


@click.group()
def main() -> None:
    """Do the pods behind this Kubernetes service share the work evenly?"""


@main.command()
@click.option("--force", is_flag=True, help="Build even when nothing changed since the last build.")
def build(force: bool) -> None:
    """Build the page, unless its sources are those of the last build."""
    with _sentence_and_exit():
        _require_project()
        if not force and page_is_current():
            return
        click.echo("Building the page (seconds; longer the first time) ...", err=True)
        _clear_earlier_build()
        _export_page()
        # Now, not before: the first build may complete reflex.lock/, which belongs to the sources.
        BUILT_FROM.write_text(page_fingerprint(Path()))


@main.command()
def serve() -> None:
    """Serve page, API and WebSocket on SCALE_HOST:SCALE_PORT (127.0.0.1:8000)."""
    with _sentence_and_exit():
        settings = load_settings()
        _require_project()
        if not PAGE.is_file():
            raise CannotStart("The page is not built (.web/build/client is missing): run `scale build` first.")
        address = free_address(settings)
        os.environ.update(SERVE_BUILT_PAGE)
        asyncio.run(_serve(address, settings))


class CannotStart(ScaleError):
    """Something outside this program has to be put right first."""


@contextlib.contextmanager
def _sentence_and_exit() -> Iterator[None]:
    try:
        yield
    except SettingsError as error:
        _exit_with(error, EXIT_BAD_SETTING)
    except ScaleError as error:
        _exit_with(error, EXIT_TRY_AGAIN)
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(0)


def _exit_with(error: ScaleError, code: int) -> NoReturn:
    click.echo(str(error), err=True)
    sys.exit(code)


def _require_project() -> None:
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
            "put right what it says above and run `scale build` again."
        )


def free_address(settings: Settings) -> tuple[str, int]:
    """The IP address and port to listen on. Raises CannotStart when the name is unknown or the port is taken.

    Asked before anything is started: granian shares a port with whoever else listens on it instead of failing.
    """
    where = f"{settings.host}:{settings.port}"
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen()
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {where}: {error.strerror or error}; "
            "stop what uses it or set SCALE_HOST and SCALE_PORT to a free address."
        ) from error
    return str(address[0]), settings.port


async def _serve(address: tuple[str, int], settings: Settings) -> None:
    """Serve until SIGINT or SIGTERM, then end the hub and the process.

    One process, one worker: every run lives in this process's hub, and a killed server leaves nothing behind. The
    application's lifespan is entered here and not by granian, so that a database that is away is a sentence, and so
    that the hub is closed at once, not after the last browser has let go of its WebSocket.
    """
    stop = _Stop()
    application = _application()
    async with application.router.lifespan_context(application):
        server = Server(
            application, *address, interface=Interfaces.ASGINL, log_level=LogLevels.error, websockets=True, backlog=1024
        )
        server.on_startup(lambda: click.echo(f"Scale is ready at {shown_url(settings)} - Ctrl-C stops it."))
        stop.now = server.stop
        await server.serve()
    # Requests still in flight hold granian's threads; nothing is left that they could ask.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _Stop:
    """SIGINT and SIGTERM: the first one stops in order, at any stage of the start; a second one at once."""

    def __init__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.now: Callable[[], object] = task.cancel
        self._asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)

    def _signalled(self) -> None:
        if self._asked:
            os._exit(130)
        self._asked = True
        self.now()


def _application() -> Starlette:
    """The whole application. Imported this late because it takes a second, by name because it is the floor above."""
    application = importlib.import_module("scale_app.scale_app").app()
    assert isinstance(application, Starlette)
    return application


def shown_url(settings: Settings) -> str:
    """The address to type into a browser on this machine."""
    host = settings.host
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


if __name__ == "__main__":
    main()
