"""Who makes each event of the page: the caller of the socket that it came over, looked up for every event anew. And
what the page shows of it: who one is, and what one's role does not allow.
"""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex.middleware.middleware import Middleware

from scale_app import wiring
from scale_app.api.identity import KNOWN_SOCKET, KnownSocket
from scale_app.api.sign_in import LOGOUT
from scale_app.domain.identity import CALLER, LOCAL_USER, Caller, SignIn
from scale_app.service.permits import may
from scale_app.ui.controls import button
from scale_app.ui.reflex_compat import Flag, Part, Text, nothing_happens, session_of_event, set_changed, socket_scope


class CallerOfEvents(Middleware):
    """Sets CALLER for the event that follows, chained ones and those in the background included.

    An event whose caller is not known any more does not happen.
    """

    def __init__(self, open_to_all: bool) -> None:
        self._unknown = Caller(LOCAL_USER, "") if open_to_all else None

    async def preprocess(self, app: Any, state: Any, event: Any) -> Any:
        """None to go on with the event."""
        caller = self._caller(app)
        CALLER.set(caller)
        return None if caller else nothing_happens()

    def _caller(self, app: Any) -> Caller | None:
        socket = socket_scope(app, session_of_event()).get(KNOWN_SOCKET)
        return socket.caller if isinstance(socket, KnownSocket) else self._unknown


LEAVE = (
    "const leave = document.createElement('form'); leave.method = 'post'; "
    f"leave.action = '{LOGOUT}'; document.body.append(leave); leave.submit();"
)
"""A form by script, since Reflex keeps the submits of its own ones to itself."""
ASKED = (
    *("start", "edit", "stop", "rerun", "experiment", "mark_baseline", "delete", "save_plan", "delete_plan"),
    *("demo.change", "tokens", "audit_entries"),
)
"""What the page has controls and links for, each by what it asks of the hub."""
EVERYBODY_IS_ADMIN = "Nobody signs in (SCALE_AUTH=none): everybody who reaches this server is admin."


class WhoAsks(rx.State):
    """name: of whoever has this tab open, "" where nobody signs in. warning: that nobody does, though others reach this
    server. may_sign_out: this server signed the person in.

    refused: why the role does not allow each of ASKED, "" where it does.
    """

    name: str = ""
    role: str = ""
    warning: str = ""
    may_sign_out: bool = False
    refused: rx.Field[dict[str, str]] = rx.field(default_factory=lambda: dict.fromkeys(ASKED, ""))

    @rx.event
    def look(self) -> None:
        """As of now; a role may have changed since the tab was opened."""
        caller = CALLER.get()
        principal = caller.principal if caller else None
        signed_in = principal is not None and principal.sign_in is not SignIn.NONE
        set_changed(
            self,
            name=principal.name if principal and signed_in else "",
            role=principal.role.value if principal else "",
            warning=EVERYBODY_IS_ADMIN if wiring.identity().auth == "none" else "",
            may_sign_out=principal is not None and principal.sign_in is SignIn.OIDC,
            refused={action: may(action) for action in ASKED},
        )


def who_asks() -> Part:
    """In the bar of every page: who one is and what role that has; nothing where nobody signs in on loopback."""
    return rx.fragment(
        rx.cond(
            WhoAsks.name != "",
            rx.el.span(
                rx.icon("user", size=14, aria_hidden=True),
                rx.el.span(WhoAsks.name, class_name="who-name"),
                rx.el.span(WhoAsks.role, class_name="badge"),
                title="Signed in as " + WhoAsks.name + ", role " + WhoAsks.role,
                class_name="who",
                data_testid="who",
            ),
        ),
        rx.cond(
            WhoAsks.may_sign_out,
            button("Sign out", rx.call_script(LEAVE), "sign-out", look="small"),
        ),
        rx.cond(
            WhoAsks.warning != "",
            rx.el.span("No sign-in", title=WhoAsks.warning, class_name="badge", data_testid="no-sign-in"),
        ),
    )


def refused(action: str) -> Text:
    """Why the role does not allow it, "" where it does. action: one of ASKED. Raises ValueError for another."""
    if action not in ASKED:
        raise ValueError(action)
    reasons: Any = WhoAsks.refused
    return reasons[action]


def is_refused(action: str) -> Flag:
    reason: Any = refused(action)
    return reason != ""


def if_allowed(action: str, otherwise: Flag = False) -> dict[str, Any]:
    """Of a control: disabled for whoever may not do this, with the reason. otherwise: when else it is disabled."""
    return {"disabled": is_refused(action) | otherwise, "title": refused(action)}


def if_allowed_told(action: str) -> dict[str, Any]:
    """The same of a control without a text, whose reason screen readers read out of `reasons`."""
    return {**if_allowed(action), "aria_describedby": f"refused-{action}"}


def reasons(*actions: str) -> Part:
    """Why the role does not allow each of these, once on a page, for those of its controls that point here."""
    return rx.fragment(*[rx.el.span(refused(action), id=f"refused-{action}", hidden=True) for action in actions])


def why_not(action: str) -> Part:
    """The reason as a text, since a disabled control's title is not for everybody to find."""
    return rx.cond(is_refused(action), rx.el.p(refused(action), class_name="note", data_testid=f"why-not-{action}"))
