"""What runs until it is ended: `scale serve`, with page, API and WebSocket on one port, and `scale worker`, which sends
load for such a server from another machine."""

from __future__ import annotations

import asyncio
import importlib
import logging
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

import click
from starlette.applications import Starlette
from starlette.types import ASGIApp

from scale_app.cli.build import PAGE, require_project
from scale_app.cli.commands import CannotStart, first_and_second_signal, loading, sentence_and_exit
from scale_app.cli.connections import ConnectionWatch, LimitedServer, allow_connections
from scale_app.cli.probes import ProbeListener
from scale_app.cli.terminal import WholeNumber
from scale_app.domain.errors import SettingsError
from scale_app.identity_settings import load_identity
from scale_app.log_lines import write_log
from scale_app.settings import Settings, load_settings, load_worker_listener, require_hosts

# Reflex compiles the page at each start unless told that it is built, and serves it only when told so. The last two
# are Reflex's internal switches: requirements.txt pins the version, tests/integration/test_image_layout.py holds it.
SERVE_BUILT_PAGE = {
    "REFLEX_ENV_MODE": "prod",
    "__REFLEX_SKIP_COMPILE": "true",
    "__REFLEX_MOUNT_FRONTEND_COMPILED_APP": "true",
}
IN_FLIGHT_S = 2.0
EVERYBODY = "SCALE_AUTH=none: nobody signs in, and everybody who reaches this server is admin."


@click.command()
def serve() -> None:
    """Serve page, API and WebSocket on SCALE_HOST:SCALE_PORT (127.0.0.1:8000)."""
    with sentence_and_exit(cut_off=""):
        settings, identity = load_settings(), load_identity()
        require_hosts(settings)
        if objection := identity.objection(settings.host):
            raise CannotStart(objection)
        if identity.auth == "none":
            click.echo(EVERYBODY, err=True)
        require_project()
        if not PAGE.is_file():
            raise CannotStart("The page is not built (.web/build/client is missing): run `scale build` first.")
        write_log(logging.WARNING)
        allow_connections(settings.max_connections)
        address = free_address(settings)
        os.environ.update(SERVE_BUILT_PAGE)
        asyncio.run(_serve(address, settings))


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
    """Serve until SIGINT or SIGTERM, then end the hub and the process; a second signal ends it at once, at any stage.
    With SCALE_DRAIN_S the first SIGTERM lets the runs end before.

    One process, one worker: every run lives in this process's hub, and a killed server leaves nothing behind. The
    application's lifespan is entered here and not by granian, so that a database that is away is a sentence, and so
    that the hub is closed soon, not after the last browser has let go of its WebSocket, or a run has ended whose
    verdict somebody waits for.
    """
    task = asyncio.current_task()
    assert task is not None
    stops: list[Callable[[], object]] = [task.cancel]
    with first_and_second_signal(lambda: stops[-1](), lambda: os._exit(130)) as signalled:
        application = _application()
        async with application.router.lifespan_context(application):
            server = listener(application, address[0], settings)
            server.on_startup(lambda: _ready(settings))
            await _until_stopped(server, stops, partial(_drain_at_sigterm, signalled, settings.drain_s))
        # Requests still in flight hold granian's threads; nothing is left that they could ask.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


async def _until_stopped(server: LimitedServer, stops: list[Callable[[], object]], watch: Callable[[], object]) -> None:
    """Serve until `stops` says so, and then for a moment, in which answers that have begun may end. watch: called when
    there may be runs."""
    stopped = asyncio.Event()
    stops.append(stopped.set)
    watch()
    serving = asyncio.ensure_future(server.serve())
    await asyncio.wait({serving, asyncio.ensure_future(stopped.wait())}, return_when=asyncio.FIRST_COMPLETED)
    server.stop()  # type: ignore[no-untyped-call]
    await asyncio.wait({serving}, timeout=IN_FLIGHT_S)
    if serving.done():
        serving.result()


def _drain_at_sigterm(signalled: Callable[[], object], drain_s: float) -> None:
    """The first SIGTERM from now on means a signal later: when the runs have ended, or so many seconds have passed."""
    loop = asyncio.get_running_loop()

    def drain() -> None:
        loop.add_signal_handler(signal.SIGTERM, signalled)
        click.echo(f"Scale begins no more runs, and ends with those that it has, in {drain_s:g} s at the latest.")
        drained = importlib.import_module("scale_app.wiring").drained()
        draining.append(asyncio.ensure_future(asyncio.wait_for(drained, drain_s)))
        draining[0].add_done_callback(lambda done: done.cancelled() or (done.exception(), signalled()))

    draining: list[asyncio.Future[None]] = []
    if drain_s:
        loop.add_signal_handler(signal.SIGTERM, drain)


def _ready(settings: Settings) -> None:
    importlib.import_module("scale_app.wiring").announce(settings.database_url, shown_url(settings))
    click.echo(f"Scale is ready at {shown_url(settings)} - Ctrl-C stops it.")


def listener(application: ASGIApp, host: str, settings: Settings) -> LimitedServer:
    """The server, within its limits; probes are answered from now on. host: an IP address. Raises CannotStart."""
    if settings.probe_port:
        ProbeListener(application, host, settings.probe_port).start()
    ConnectionWatch(settings.port, settings.max_connections, settings.max_connections_per_client).start()
    return LimitedServer(application, host, settings.port, settings.max_connections)


def _application() -> Starlette:
    """The whole application. Imported this late because it takes a second, by name because it is of the layer above."""
    with loading():
        application = importlib.import_module("scale_app.scale_app").app()
    assert isinstance(application, Starlette)
    return application


def shown_url(settings: Settings) -> str:
    """The address to type into a browser on this machine."""
    host = settings.host
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


class HostPort(click.ParamType[tuple[str, int]]):
    """HOST:PORT, as (host, port)."""

    name = "HOST:PORT"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:
        found = re.fullmatch(r"(\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[^\s:/@\[\]]+)):(?P<port>[0-9]{1,5})", str(value))
        if not found or not 1 <= int(found["port"]) <= 65_535:
            self.fail(f"{value!r} is not HOST:PORT, such as scale.example:5557", param, ctx)
        return found["six"] or found["name"], int(found["port"])


@click.command()
@click.option(
    "--master", type=HostPort(), required=True, help="The server's address for workers (SCALE_WORKER_LISTEN)."
)
@click.option(
    "--processes", type=WholeNumber(1, 64), default=1, show_default=True, help="Number of parallel worker processes."
)
def worker(master: tuple[str, int], processes: int) -> None:
    """Send load for runs of another machine, one after the other, until SIGTERM or Ctrl-C.

    Both sides must have the same secret, in SCALE_WORKER_SECRET or in the file that SCALE_WORKER_SECRET_FILE names,
    and run the same version. A run uses workers when its plan's `remote_workers` asks for them.
    """
    with sentence_and_exit(cut_off=""):
        if not load_worker_listener().secret:
            raise SettingsError(
                "SCALE_WORKER_SECRET is not set: give the secret of the server here, or in the file that "
                "SCALE_WORKER_SECRET_FILE names."
            )
        host, port = master
        arguments = [sys.executable, "-m", "scale_app.worker", "join", host, str(port), str(processes)]
        sys.stderr.flush()
        os.execv(sys.executable, arguments)
