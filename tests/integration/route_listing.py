"""Prints every route of the whole application, Reflex's own included, as JSON: [kind, path, methods]."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from typing import Any

from starlette.routing import Mount, Route, WebSocketRoute

from scale_app.cli.server import SERVE_BUILT_PAGE, _application

Listed = tuple[str, str, list[str]]


def listed(routes: Any, before: str = "") -> Iterator[Listed]:
    """Raises TypeError for a kind of route that nobody foresaw."""
    for route in routes:
        if isinstance(route, Mount):
            inner = inner_routes(route.app)
            yield from listed(inner, before + route.path) if inner else [("mount", f"{before}{route.path}/", ["GET"])]
        elif isinstance(route, WebSocketRoute):
            yield "socket", before + route.path, []
        elif isinstance(route, Route):
            yield "route", before + route.path, sorted(route.methods or [])
        else:
            raise TypeError(repr(route))


def inner_routes(app: Any) -> Any:
    """The routes behind the layers around an application; none where it has none."""
    while app is not None and not getattr(app, "routes", None):
        app = getattr(app, "_app", None) or getattr(app, "app", None)
    return getattr(app, "routes", [])


if __name__ == "__main__":
    os.environ.update(SERVE_BUILT_PAGE)
    sys.stdout.write(json.dumps(list(listed(_application().routes))))
