"""Access tokens: made, listed, revoked, and checked for each request without asking the database each time.

All valid tokens are read together, at most every few seconds, so that a wrong token costs no query. A token's text is
"scale_<id>_<secret>": the id finds it, and the secret has 256 random bits, of which only the hash is kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import math
import secrets
from collections.abc import Mapping

from scale_app.domain.audit import AccessToken, MadeToken
from scale_app.domain.errors import PlanError, StoreUnavailable, TokenNotFound
from scale_app.domain.identity import CALLER, NotPermitted, NotSignedIn, Principal, Role, SignIn
from scale_app.domain.record import DAY_S, check_name
from scale_app.identity_ports import AccessStore
from scale_app.ports import Clock
from scale_app.service.tasks import Sleep, settled_within
from scale_app.service.wrong_tokens import Note, WrongTokens

log = logging.getLogger(__name__)
FRESH_S = 5.0
"""For so long the tokens that were read last are believed; what this process revokes ends at once."""
EVERY_S = 60.0
LAST_NOTES_S = 1.0
LONGEST_TEXT = 200
MOST_TOKENS = 1_000
MOST_OF_ONE = 100
MOST_DAYS = 3_650
DAYS = 90.0
NO_DIGEST = "0" * 64


class Access:
    """Of one installation. What callers may do to tokens depends on who calls: see `tokens`."""

    def __init__(
        self, store: AccessStore, clock: Clock, note: Note, audit_days: float = 0.0, sleep: Sleep = asyncio.sleep
    ) -> None:
        """note: takes entries of the audit log. audit_days: for how long these are kept, 0 for ever."""
        self._store, self._clock, self._sleep = store, clock, sleep
        self._audit_days = audit_days
        self._wrong = WrongTokens(clock, note, sleep)
        self._turn = asyncio.Lock()
        self._valid: Mapping[str, tuple[AccessToken, str]] = {}
        self._read_at_s: float | None = None
        self._changes = self._read_after = 0
        self._used: dict[str, float] = {}
        self.audit_entries, self.count_audit_entries = store.audit, store.count_audit

    async def check_token(self, text: str, address: str) -> Principal | None:
        """Who sends this token, None for one that is unknown, revoked or expired.

        Raises StoreUnavailable while no tokens could be read yet. Wrong ones are answered slowly after some from one
        address, right ones never are.
        """
        token_id, secret = _parts(text)
        token, digest = (await self._known()).get(token_id, (None, NO_DIGEST))
        right = hmac.compare_digest(_digest(secret), digest)
        now_s = self._clock.epoch_s()
        if token is None or not right or not token.valid_at(now_s):
            await self._wrong.met(address)
            return None
        self._used[token.id] = now_s
        return Principal(f"{token.name} (token of {token.owner})", token.role, SignIn.TOKEN, key=token.id)

    async def tokens(self) -> list[AccessToken]:
        """The caller's own, newest first; for an admin everybody's, for a token of another role itself alone.

        Raises NotSignedIn, StoreUnavailable.
        """
        caller = _caller()
        found = await self._store.tokens()
        if caller.role is Role.ADMIN:
            return found
        if caller.sign_in is SignIn.TOKEN:
            return [token for token in found if token.id == caller.key]
        return [token for token in found if token.owner == caller.name]

    async def make_token(self, name: str, role: Role = Role.VIEWER, days: float = DAYS) -> MadeToken:
        """Make a token for whoever calls. days: until it expires, 0 for never.

        What a token makes belongs to that token's owner, and would outlive it: so only an admin's makes any. Raises
        PlanError for a name or days of no use, NotPermitted for a role above the caller's own, NotSignedIn,
        StoreUnavailable.
        """
        caller = _caller()
        check_name(name)
        if not (days == 0 or (math.isfinite(days) and 0 < days <= MOST_DAYS)):
            raise PlanError("days", days, f"a number above 0, at most {MOST_DAYS:,}, or 0 for a token without an end")
        if caller.sign_in is SignIn.TOKEN and caller.role is not Role.ADMIN:
            raise NotPermitted(caller, "making a token with a token", Role.ADMIN)
        if not caller.role.includes(role):
            raise NotPermitted(caller, f"making a token with the role {role.value}", role)
        known, owner = await self._known(), await self._owner(caller)
        if len(known) >= MOST_TOKENS:
            raise PlanError("name", name, f"there are {MOST_TOKENS:,} valid tokens, the most; revoke some first")
        if sum(token.owner == owner for token, _ in known.values()) >= MOST_OF_ONE:
            raise PlanError("name", name, f"{owner} has {MOST_OF_ONE} valid tokens, the most of one; revoke some first")
        return await self._make(name, owner, role, days)

    async def revoke_token(self, token_id: str) -> None:
        """End a token of the caller's, for an admin anybody's, at once.

        Raises TokenNotFound, also for another's, NotSignedIn, StoreUnavailable.
        """
        if all(token.id != token_id for token in await self.tokens()):
            raise TokenNotFound(token_id)
        await self._store.revoke_token(token_id, self._clock.epoch_s())
        self._changes += 1
        self._valid = {known: kept for known, kept in self._valid.items() if known != token_id}

    async def keep(self) -> None:
        """Once a minute for as long as the process lives: see `look`."""
        while True:
            await self._sleep(EVERY_S)
            await self.look()

    async def look(self) -> None:
        """Tell of wrong tokens, note which were used, and forget what is too old. Never raises."""
        self._wrong.tell()
        try:
            for token_id, at_epoch_s in list(self._used.items()):
                await self._store.used_token(token_id, at_epoch_s)
                if self._used.get(token_id) == at_epoch_s:
                    del self._used[token_id]
            now_s = self._clock.epoch_s()
            await self._store.forget(now_s, now_s - self._audit_days * DAY_S if self._audit_days else 0.0)
        except StoreUnavailable as error:
            log.warning("the uses of tokens could not be noted; Scale tries again later: %s", error)

    async def close(self) -> None:
        """Tell and note what is not yet, if that goes quickly."""
        await settled_within(self._clock, LAST_NOTES_S, "noting the last uses of tokens", self.look())

    async def _make(self, name: str, owner: str, role: Role, days: float) -> MadeToken:
        now_s, secret = self._clock.epoch_s(), secrets.token_urlsafe(32)
        expires_s = now_s + days * DAY_S if days else None
        token = AccessToken(secrets.token_hex(6), name, owner, role, now_s, expires_s)
        await self._store.add_token(token, _digest(secret))
        self._changes += 1
        return MadeToken(token, f"scale_{token.id}_{secret}")

    async def _owner(self, caller: Principal) -> str:
        """Whose a token is that the caller makes: another token makes those of its own owner."""
        if caller.sign_in is not SignIn.TOKEN:
            return caller.name
        token, _ = (await self._known()).get(caller.key, (None, ""))
        if token is None:
            raise NotSignedIn
        return token.owner

    async def _known(self) -> Mapping[str, tuple[AccessToken, str]]:
        """The valid tokens by id, read again when they may be out of date."""
        async with self._turn:
            while self._out_of_date:
                # What this process changes while they are read may be missing in what comes: they are read again.
                changes, now_s = self._changes, self._clock.monotonic_s()
                await self._read()
                self._read_at_s, self._read_after = now_s, changes
        return self._valid

    @property
    def _out_of_date(self) -> bool:
        if self._read_at_s is None or self._read_after != self._changes:
            return True
        return self._clock.monotonic_s() - self._read_at_s >= FRESH_S

    async def _read(self) -> None:
        try:
            pairs = await self._store.valid_tokens(self._clock.epoch_s())
        except StoreUnavailable as error:
            # Nobody can revoke one meanwhile either, so those that are known go on.
            if not self._valid:
                raise
            log.warning("tokens are checked against those that were read last: %s", error)
        else:
            self._valid = {token.id: (token, digest) for token, digest in pairs}


def _caller() -> Principal:
    caller = CALLER.get()
    if caller is None:
        raise NotSignedIn
    return caller.principal


def _parts(text: str) -> tuple[str, str]:
    """Id and secret in a token's text, both "" where it is none."""
    parts = text.split("_", 2) if len(text) <= LONGEST_TEXT else []
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "scale" else ("", "")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
