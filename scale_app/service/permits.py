"""The one place where rights are checked: what needs which role, and a hub that asks before it does anything.

Page, API and command line get this hub. What is not in the table is refused, so that a new method of the hub cannot be
forgotten. Every action that changes something, and every refusal, goes to the audit log.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast

from scale_app.domain.audit import AuditEntry, failure
from scale_app.domain.demo import DemoChange
from scale_app.domain.errors import ScaleError, TargetRefused
from scale_app.domain.identity import CALLER, Caller, NotPermitted, NotSignedIn, Role
from scale_app.domain.plan import PlanEdit
from scale_app.identity_ports import Audit
from scale_app.ports import Clock

Asked = TypeVar("Asked")


@dataclass(frozen=True, slots=True)
class Right:
    """needed: the role; None for what anybody may, signed in or not. action: what it does, in words.

    changes: it changes something, so that it is noted who did it. subject: the parameter that says to what, "" where
    the answer says it.
    """

    needed: Role | None
    action: str
    changes: bool = False
    subject: str = ""


def _change(needed: Role, action: str, subject: str = "run_id") -> Right:
    return Right(needed, action, changes=True, subject=subject)


LOOK = Right(Role.VIEWER, "looking at this")
TRY = Right(Role.OPERATOR, "checking a target")
READ_LOG = Right(Role.ADMIN, "reading the audit log")
RIGHTS: Mapping[str, Right] = {
    "start": _change(Role.OPERATOR, "starting a run", ""),
    "rerun": _change(Role.OPERATOR, "starting a run", ""),
    "experiment": _change(Role.OPERATOR, "starting a run", ""),
    "edit": _change(Role.OPERATOR, "editing a run"),
    "stop": _change(Role.OPERATOR, "stopping a run"),
    "delete": _change(Role.ADMIN, "deleting a run"),
    "mark_baseline": _change(Role.OPERATOR, "setting a baseline"),
    "save_plan": _change(Role.OPERATOR, "saving a plan", "name"),
    "delete_plan": _change(Role.ADMIN, "deleting a plan", "name"),
    "make_token": _change(Role.VIEWER, "making a token", "name"),
    "revoke_token": _change(Role.VIEWER, "revoking a token", "token_id"),
    "audit_entries": READ_LOG,
    "count_audit_entries": READ_LOG,
    "admitted": TRY,
    "reachable": TRY,
    "check": Right(None, "asking whether runs can be stored"),
    **dict.fromkeys(
        (
            *("active", "baseline", "compare", "count", "demo", "events", "follow", "gate", "happenings", "history"),
            *(
                "in_memory",
                "own_active",
                "limits",
                "max_runs",
                "notify_problem",
                "permissions",
                "plan",
                "planned_experiment",
            ),
            *("plans", "plans_of", "pod_history", "pod_spans", "recorded", "run", "runs", "size_bytes", "storing"),
            *("subscribe", "targets", "tokens", "until_stored", "whole"),
        ),
        LOOK,
    ),
}
"""By the name of what the hub has."""
OF_THE_DEMO: Mapping[str, Right] = {"status": LOOK, "change": _change(Role.OPERATOR, "changing the demo", "change")}
PARTS = {"demo": OF_THE_DEMO}
"""What of the hub has methods of its own."""


REFUSALS = (NotPermitted, NotSignedIn, TargetRefused)
"""What says that somebody may not, wherever that was found out; all else that is raised says that it did not work."""


def permitted(of: Asked, audit: Audit, clock: Clock) -> Asked:
    """The hub for callers, or the tokens alone: the same methods, each asking first who calls.

    They raise NotSignedIn where nobody is known, NotPermitted where the role does not do.
    """
    return cast(Asked, _Asking(of, RIGHTS, _Noting(audit, clock)))


def may(action: str) -> str:
    """Why whoever calls now may not do this, "" when they may. action: a method of the hub, or "demo.change"."""
    part, _, method = action.rpartition(".")
    try:
        _check((PARTS[part] if part else RIGHTS)[method])
    except ScaleError as refused:
        return str(refused)
    return ""


def _check(right: Right) -> None:
    if right.needed is None:
        return
    caller = CALLER.get()
    if caller is None:
        raise NotSignedIn
    if not caller.principal.role.includes(right.needed):
        raise NotPermitted(caller.principal, right.action, right.needed)


def _changes_nothing(given: object) -> bool:
    """Is it an edit or a change that has no figure?"""
    return isinstance(given, PlanEdit | DemoChange) and given == type(given)()


class _Asking:
    """Stands for something; each of its public names is asked for its right. Methods are checked when they are called,
    values when they are read."""

    def __init__(self, of: object, rights: Mapping[str, Right], noting: _Noting) -> None:
        self._of, self._rights, self._noting = of, rights, noting

    def __getattr__(self, name: str) -> Any:
        right = self._rights.get(name)
        if right is None:
            raise AttributeError(f"{name} has no entry in the table of rights, so nobody may use it")
        if name in PARTS:
            return _Asking(getattr(self._of, name), PARTS[name], self._noting)
        if not callable(inspect.getattr_static(self._of, name)):
            self._allow(right)
            return getattr(self._of, name)
        method = getattr(self._of, name)
        return self._noted(method, right) if right.changes else self._asked(method, right)

    def _asked(self, method: Callable[..., Any], right: Right) -> Callable[..., Any]:
        @wraps(method)
        def asked(*given: Any, **named: Any) -> Any:
            self._allow(right)
            return method(*given, **named)

        return asked

    def _noted(self, method: Callable[..., Any], right: Right) -> Callable[..., Any]:
        signature = inspect.signature(method)

        @wraps(method)
        async def noted(*given: Any, **named: Any) -> Any:
            arguments = signature.bind(*given, **named).arguments
            about = str(arguments.get(right.subject, ""))
            self._allow(right, about)
            try:
                answer = await method(*given, **named)
            except BaseException as error:
                self._noting.note(right, about, failure(error), allowed=not isinstance(error, REFUSALS))
                raise
            if not any(map(_changes_nothing, arguments.values())):
                self._noting.note(right, about or (answer if isinstance(answer, str) else ""))
            return answer

        return noted

    def _allow(self, right: Right, about: str = "") -> None:
        try:
            _check(right)
        except ScaleError as refused:
            self._noting.note(right, about, str(refused), allowed=False)
            raise


class _Noting:
    """Writes entries of the audit log, each with who calls now."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit, self._clock = audit, clock

    def note(self, right: Right, subject: str, reason: str = "", *, allowed: bool = True) -> None:
        self._audit.note(entry_of(CALLER.get(), self._clock.epoch_s(), right.action, subject, reason, allowed=allowed))


def entry_of(
    caller: Caller | None, at_epoch_s: float, action: str, subject: str, reason: str = "", *, allowed: bool = True
) -> AuditEntry:
    """An entry of the audit log about this caller."""
    who = caller.principal.name if caller else ""
    role = caller.principal.role.value if caller else ""
    return AuditEntry(at_epoch_s, who, role, action, subject, caller.address if caller else "", allowed, reason)
