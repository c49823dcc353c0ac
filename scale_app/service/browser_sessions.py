"""Who is signed in with a browser. The browser's cookie holds a random secret, the store its digest and who it is.

What the store said is believed for CHECKED_EVERY_S, so that a page with many requests asks it seldom. While the store
is away whoever was seen before stays signed in: a run can then still be watched and stopped.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from scale_app.domain.errors import StoreUnavailable
from scale_app.domain.identity import Person, Principal, Role, SignIn, WithoutRole, role_of
from scale_app.identity_ports import AccessStore
from scale_app.ports import Clock
from scale_app.service.tasks import Sleep

SESSION_S = 12 * 3_600.0
CHECKED_EVERY_S = 5.0
MOST_REMEMBERED = 10_000
NEW_PER_S = 50
"""Looks into the store for sessions that were never seen here: whoever makes cookies up keeps it no busier."""
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store said of a session. principal: None for no session. until_epoch_s: when it expires."""

    at_s: float
    principal: Principal | None
    until_epoch_s: float


class BrowserSessions:
    """roles: by group. secure: browsers reach this server by https, so that its cookies go nowhere else.

    cookie: the name of the session's. With the prefix a browser takes it from this host alone, by https.
    """

    def __init__(
        self, store: AccessStore, clock: Clock, roles: Mapping[str, Role], secure: bool, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.secure = secure
        self.cookie = "__Host-scale" if secure else "scale"
        self._store = store
        self._clock = clock
        self._roles = roles
        self._sleep = sleep
        self._turn_s = -math.inf
        self._seen: OrderedDict[str, Seen] = OrderedDict()

    async def begin(self, person: Person) -> str:
        """Sign the person in; the secret for the cookie. Raises WithoutRole, StoreUnavailable."""
        if role_of(person.groups, self._roles) is None:
            raise WithoutRole(person)
        secret, until_epoch_s = secrets.token_urlsafe(32), self._clock.epoch_s() + SESSION_S
        body = {"name": person.name, "groups": person.groups, "until_epoch_s": until_epoch_s}
        await self._store.add_session(_digest(secret), json.dumps(body), until_epoch_s)
        return secret

    async def of_cookies(self, cookies: str) -> Principal | None:
        """Whose session a Cookie header holds. Raises StoreUnavailable."""
        return await self.principal(self.secret_in(cookies))

    def secret_in(self, cookies: str) -> str:
        """The secret that a Cookie header holds; "" for none, and for two: one of them is somebody else's doing."""
        pairs = (part.strip().partition("=") for part in cookies.split(";"))
        found = [value for name, _, value in pairs if name == self.cookie]
        return found[0] if len(found) == 1 else ""

    async def principal(self, secret: str) -> Principal | None:
        """Whose session it is; None when there is none any more. Raises StoreUnavailable for one never seen before."""
        if not SECRET.fullmatch(secret):
            return None
        digest = _digest(secret)
        seen = self._seen.get(digest)
        if seen is None or self._clock.monotonic_s() - seen.at_s > CHECKED_EVERY_S:
            seen = await self._looked_up(digest, seen)
        return seen.principal if seen.until_epoch_s > self._clock.epoch_s() else None

    async def end(self, secret: str) -> None:
        """Sign out. Raises StoreUnavailable; then the session has not ended."""
        if SECRET.fullmatch(secret):
            await self._store.end_session(_digest(secret))
            self._seen.pop(_digest(secret), None)

    async def _looked_up(self, digest: str, before: Seen | None) -> Seen:
        if before is None:
            await self._turn()
        try:
            body = await self._store.session(digest, self._clock.epoch_s())
        except StoreUnavailable:
            if before is None:
                raise
            return before
        found = self._read(digest, body)
        if found.principal is None:
            self._seen.pop(digest, None)
            return found
        self._seen[digest] = found
        self._seen.move_to_end(digest)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return found

    async def _turn(self) -> None:
        """Wait until it is the turn of a session that was never seen; a second's worth of them need not wait."""
        now_s = self._clock.monotonic_s()
        self._turn_s = max(self._turn_s, now_s - 1.0) + 1.0 / NEW_PER_S
        if self._turn_s > now_s:
            await self._sleep(self._turn_s - now_s)

    def _read(self, digest: str, body: str | None) -> Seen:
        """With the role that the groups have now: the settings may have changed since the session began."""
        now_s = self._clock.monotonic_s()
        if body is None:
            return Seen(now_s, None, 0.0)
        found = json.loads(body)
        groups = tuple(found["groups"])
        if (role := role_of(groups, self._roles)) is None:
            return Seen(now_s, None, 0.0)
        principal = Principal(found["name"], role, SignIn.OIDC, groups, key=digest[:12])
        return Seen(now_s, principal, found["until_epoch_s"])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
