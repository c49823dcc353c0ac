"""Every name and every line of Reflex that is not promised to stay, each with the reason why it is used; and names for
what page functions take and give: Reflex's component packages carry no types, so all of these are Any.

Written for Reflex 0.10.1. tests/unit/ui/test_reflex_compat.py fails when an upgrade changes one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import reflex as rx
from reflex.plugins import Plugin
from starlette.applications import Starlette
from starlette.types import ASGIApp

Part: TypeAlias = Any
"""A piece of the page."""

Text: TypeAlias = Any
"""A text: fixed when the page is built, or a variable of the state."""

Flag: TypeAlias = Any
"""True or false: fixed, or a variable of the state."""

Figure: TypeAlias = Any
"""A number, or several: fixed, or a variable of the state."""

Handler: TypeAlias = Any
"""What happens on an event of the browser."""

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
OWN_OVERLAY = (5, "Overlay")
"""Reflex wraps the app in its own messages about a lost connection, under this key; ui/layout.py has ours."""
UPDATE_EVENT = "event"
"""What Reflex's socket calls an update of a tab's state."""


@dataclass
class WrappedApp(rx.App):
    """Reflex's application inside a layer of ours, with which nothing is answered that has not passed there.

    Reflex puts another application around what its `api_transformer` makes. That one answers by itself what asks for
    CORS and what its router finds no place for, such as a path with a line break.
    """

    around: Callable[[ASGIApp], ASGIApp] | None = None

    def __call__(self) -> ASGIApp:
        application = super().__call__()
        assert isinstance(application, Starlette)
        if self.around is not None:
            application.add_middleware(self.around)
        return application


class BrowserLocationPlugin(Plugin):
    """Makes the built page find its server by the browser's own location.

    Reflex bakes the build-time port into the page (and forces 443 under https), so that a page built for port 8000 is
    dead on any other port or behind an ingress. The two lines at fault are changed before the page is compiled.
    """

    def pre_compile(self, **context: Any) -> None:
        context["add_modify_task"](STATE_SCRIPT, follow_location)


def follow_location(script: str) -> str:
    """The script with the server's host, port and scheme taken from `window.location`. Idempotent.

    Raises RuntimeError when the script is not the one that this was written for, so that an upgrade of Reflex cannot
    undo it in silence.
    """
    for old, new in REPLACEMENTS:
        if script.count(new) == 1:
            continue
        if script.count(old) != 1:
            raise RuntimeError(f"{STATE_SCRIPT} has {script.count(old)} times, not once: {old.strip()!r}.")
        script = script.replace(old, new)
    return script


def state_update(changes: dict[Any, dict[str, Any]]) -> Any:
    """The message by which Reflex tells a browser new values. changes: by state class and name of the variable.

    Reflex builds such messages for one tab at a time; ui/shown/viewers.py sends one to many.
    """
    from reflex.state import StateUpdate
    from reflex_base.constants.state import FIELD_MARKER

    return StateUpdate(
        delta={
            state.get_full_name(): {name + FIELD_MARKER: value for name, value in values.items()}
            for state, values in changes.items()
        }
    )


def session_of_event() -> str:
    """The session of the socket over which the event came that runs now; an event that another one chained has that of
    the other. A client cannot choose it. "" for none."""
    from reflex_base.constants import RouteVar
    from reflex_base.event.context import EventContext

    return str(EventContext.get().router_data.get(RouteVar.SESSION_ID, ""))


def socket_scope(app: Any, session: str) -> Mapping[str, Any]:
    """The ASGI scope of a session's socket, empty once that is closed."""
    try:
        environ = app.sio.get_environ(session, app.event_namespace.namespace)
    except KeyError:
        return {}
    scope: Mapping[str, Any] = (environ or {}).get("asgi.scope", {})
    return scope


def nothing_happens() -> Any:
    """What a middleware answers for an event that must not be processed."""
    from reflex.state import StateUpdate

    return StateUpdate()


def replaces_a_base_method(method: Callable[..., Any]) -> Callable[..., Any]:
    """For a method of a state that Reflex's own states have too; without it Reflex takes it for a mistake."""
    from reflex.state import _override_base_method

    return _override_base_method(method)


def lost_connection() -> Any:
    """A variable of the browser: true from the first failed try to reach the server until one succeeds."""
    from reflex_components_core.core.banner import has_connection_errors  # type: ignore[import-untyped]

    return has_connection_errors


def slider_parts() -> Any:
    """Radix' bare slider, whose thumb can be given a test id and what screen readers say; `rx.slider` has no parts."""
    from reflex_components_radix.primitives.slider import slider  # type: ignore[import-untyped]

    return slider


def set_changed(state: Any, **values: Any) -> None:
    """Set the variables of a state whose values are new: Reflex sends whatever is set, new or not."""
    for name, value in values.items():
        if getattr(state, name) != value:
            setattr(state, name, value)
