"""Who did what to what, when, from where, and whether it was allowed. Entries are only ever added."""

from __future__ import annotations

import re
from dataclasses import dataclass

from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.identity import Role

URL = re.compile(r"(\b[a-z][a-z0-9+.-]*://)(?:[^\s/?#'\"]*@)?([^\s/?#'\"]+)[^\s'\"]*", re.IGNORECASE)
"""Scheme and host; user and password before it and all that follows are left out."""
LONGEST_REASON = 400


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action that changes something, or one that was refused. Secrets never enter it.

    who: the principal's name, "" for nobody. role: "" for nobody. action: "starting a run". subject: which: a run's id,
    a plan's or a token's name. address: where the call came from. reason: why it was refused, or why what was allowed
    failed; "" when it was done.
    """

    at_epoch_s: float
    who: str
    role: str
    action: str
    subject: str
    address: str
    allowed: bool
    reason: str = ""


def failure(error: BaseException) -> str:
    """Why something failed, without what may hold a secret: given values other than numbers, what follows a URL's host.

    An error that nobody expected is its kind alone.
    """
    if isinstance(error, PlanError):
        given = f" = {error.value:,}" if isinstance(error.value, int | float) else ""
        return _shortened(f"{error.field}{given} cannot be used: {error.accepted}.")
    return _shortened(str(error)) if isinstance(error, ScaleError) else type(error).__name__


def _shortened(sentence: str) -> str:
    hosts_only = URL.sub(r"\1\2", sentence)
    return hosts_only if len(hosts_only) <= LONGEST_REASON else f"{hosts_only[: LONGEST_REASON - 3]}..."


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token for programs, without the secret, which is shown once and of which only the hash is stored.

    id: short and public; the token's text begins with it. owner: the principal who made it. expires_at_epoch_s: None
    for never. last_used_at_epoch_s: to the minute, None for never used.
    """

    id: str
    name: str
    owner: str
    role: Role
    made_at_epoch_s: float
    expires_at_epoch_s: float | None = None
    revoked_at_epoch_s: float | None = None
    last_used_at_epoch_s: float | None = None

    def valid_at(self, now_epoch_s: float) -> bool:
        """Not revoked, not expired."""
        expired = self.expires_at_epoch_s is not None and self.expires_at_epoch_s <= now_epoch_s
        return self.revoked_at_epoch_s is None and not expired


@dataclass(frozen=True, slots=True)
class MadeToken:
    """A new token, with the text that is shown this once. text: "scale_<id>_<secret>"."""

    token: AccessToken
    text: str
