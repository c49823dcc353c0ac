"""Signing in with a browser: to the identity provider and back, once per attempt."""

from __future__ import annotations

import hmac
import secrets
from collections import OrderedDict

from scale_app.domain.audit import AuditEntry
from scale_app.domain.identity import Person, WithoutRole
from scale_app.domain.sign_in import SignInAttempt, SignInRefused, path_here
from scale_app.identity_ports import Audit, IdentityProvider
from scale_app.ports import Clock
from scale_app.service.browser_sessions import BrowserSessions

CALLBACK = "/auth/callback"
"""Where the identity provider sends browsers back to."""
ATTEMPT_S = 600.0
SIGNING_IN, SIGNING_OUT = "signing in", "signing out"
MOST_USED = 10_000


class SignInFlow:
    """What an attempt is made of is kept by the browser that began it, so that nobody can fill this server with them;
    here is only noted which were used."""

    def __init__(self, provider: IdentityProvider, sessions: BrowserSessions, clock: Clock, audit: Audit) -> None:
        self.sessions = sessions
        self._provider = provider
        self._clock = clock
        self._audit = audit
        self._used: OrderedDict[str, float] = OrderedDict()

    async def begin(self, target: str) -> tuple[SignInAttempt, str]:
        """A new attempt, and where the browser goes. target: the path here to come back to; another address is "/".

        Raises SignInUnavailable.
        """
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        attempt = SignInAttempt(state, nonce, verifier, path_here(target))
        return attempt, await self._provider.address(attempt)

    async def finish(self, attempt: SignInAttempt | None, state: str, code: str, address: str) -> str:
        """The secret of the session that begins. attempt: what the browser kept. state, code: what it brought.

        address: where from. Raises SignInRefused, WithoutRole, SignInUnavailable, StoreUnavailable.
        """
        person = None
        try:
            person = await self._came_back(attempt, state, code)
            secret = await self.sessions.begin(person)
        except (SignInRefused, WithoutRole) as error:
            reason = error.reason if isinstance(error, SignInRefused) else str(error)
            self.note_refused(reason, address, person.name if person else "")
            raise
        principal = await self.sessions.principal(secret)
        self._note(SIGNING_IN, address, person.name, principal.role if principal else "")
        return secret

    def note_refused(self, reason: str, address: str, who: str = "") -> None:
        """In the audit log, which counts what comes again and again: anybody may be refused ever so often."""
        self._note(SIGNING_IN, address, who, reason=reason)

    async def end(self, secret: str, address: str) -> None:
        """Sign out. Raises StoreUnavailable; then the session goes on."""
        principal = await self.sessions.principal(secret)
        await self.sessions.end(secret)
        if principal is not None:
            self._note(SIGNING_OUT, address, principal.name, principal.role)

    async def _came_back(self, attempt: SignInAttempt | None, state: str, code: str) -> Person:
        if attempt is None or not hmac.compare_digest(attempt.state.encode(), state.encode()):
            raise SignInRefused("the state is not that of an attempt which this browser began")
        self._use(state)
        return await self._provider.person(attempt, code)

    def _note(self, action: str, address: str, who: str, role: str = "", reason: str = "") -> None:
        now_s = self._clock.epoch_s()
        self._audit.note(AuditEntry(now_s, who, str(role), action, "", address, allowed=not reason, reason=reason))

    def _use(self, state: str) -> None:
        """Raises SignInRefused the second time."""
        now_s = self._clock.monotonic_s()
        while self._used and (len(self._used) >= MOST_USED or next(iter(self._used.values())) < now_s - ATTEMPT_S):
            self._used.popitem(last=False)
        if state in self._used:
            raise SignInRefused("the state was used before")
        self._used[state] = now_s
