"""Makes the built page find its server by the browser's own location.

Reflex bakes the build-time port into the page (and forces 443 under https), so that a page built for port 8000 is
dead on any other port or behind an ingress. This plugin changes the two lines at fault while the page is built.
It fails the build when a line is not there exactly once, so that an upgrade of Reflex cannot undo it in silence.
"""

from __future__ import annotations

from typing import Any

from reflex_base.plugins import Plugin

STATE_SCRIPT = "utils/state.js"

# The development server is the one case in which page and server have different ports.
REPLACEMENTS = (
    (
        "    endpoint.hostname = frontend_hostname;\n",
        "    endpoint.hostname = frontend_hostname;\n"
        "    if (import.meta.env.PROD) endpoint.port = window.location.port;\n",
    ),
    (
        '      endpoint.port = ""; // Assume websocket is on https port via load balancer.\n',
        "      endpoint.port = window.location.port;\n",
    ),
)


class BrowserLocationPlugin(Plugin):
    """Rewrites the page's script before it is compiled."""

    def pre_compile(self, **context: Any) -> None:
        context["add_modify_task"](STATE_SCRIPT, follow_location)


def follow_location(script: str) -> str:
    """The script with the server's host, port and scheme taken from `window.location`. Idempotent.

    Raises RuntimeError when the script is not the one that this was written for.
    """
    for old, new in REPLACEMENTS:
        if script.count(new) == 1:
            continue
        if script.count(old) != 1:
            raise RuntimeError(f"{STATE_SCRIPT} has {script.count(old)} times, not once: {old.strip()!r}.")
        script = script.replace(old, new)
    return script
