"""A page on which somebody tries the API's calls: Swagger UI, from a package, so that it needs no network.

Of the package flask-swagger-ui only the built files of Swagger UI are used. The page reads /openapi.json and asks the
server as the browser's own user.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from scale_app.api.problems import REFERENCE

TRY = f"{REFERENCE}/try"
FILES = {"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"}
KEPT_S = {"Cache-Control": "private, max-age=86400"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
NAVIGATION = (
    '<nav aria-label="Pages"><a href="/">Live</a> <a href="/runs">Runs</a> <a href="/targets">Targets</a> '
    f'<a href="{REFERENCE}">API reference</a> <a href="{TRY}">Try the API</a></nav>'
)
"""Out of a page beside the app, and back to it."""
PAGE = f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Try the API · Scale</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="{TRY}/swagger-ui.css"><style>
nav {{ display: flex; flex-wrap: wrap; gap: 1rem; padding: 1rem 1.5rem; font: 16px/1.5 system-ui, sans-serif; }}
nav a {{ color: #3a5bc7; }} body {{ margin: 0; }}
.dark-mode body {{ background: #1c2022; }} .dark-mode nav a {{ color: #9eb1ff; }}
</style></head><body>{NAVIGATION}<main id="calls"></main>
<script src="{TRY}/swagger-ui-bundle.js"></script><script src="{TRY}/start"></script></body></html>
"""
START = """const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();
window.ui = SwaggerUIBundle({
  url: "/openapi.json", dom_id: "#calls", deepLinking: true, tryItOutEnabled: true, requestSnippetsEnabled: true,
  displayRequestDuration: true, docExpansion: "list", defaultModelsExpandDepth: 0, validatorUrl: null, filter: true,
});
"""


def trying_routes() -> list[BaseRoute]:
    """The page and its files."""
    return [
        Route(TRY, _page, methods=["GET"]),
        Route(f"{TRY}/start", _start, methods=["GET"]),
        Route(f"{TRY}/{{name}}", _file, methods=["GET"]),
    ]


async def _page(_request: Request) -> Response:
    headers = {"Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    return Response(PAGE, headers=headers, media_type="text/html")


async def _start(_request: Request) -> Response:
    return Response(START, headers=KEPT_S, media_type="text/javascript")


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in FILES:
        raise HTTPException(404, f"There is nothing at {request.url.path[:200]}. The calls are tried at {TRY}.")
    return FileResponse(_built() / name, headers=KEPT_S, media_type=FILES[name])


def _built() -> Path:
    """Where Swagger UI's files are. The package itself is not imported: it would bring a web framework along."""
    found = find_spec("flask_swagger_ui")
    if found is None or found.origin is None:
        raise HTTPException(404, "Swagger UI is not installed: run `make run`, or install requirements.lock.")
    return Path(found.origin).parent / "dist"
