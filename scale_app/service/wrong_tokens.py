"""Wrong tokens: who tries many is slowed down, and the audit log has one entry a minute with their number."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

from scale_app.domain.audit import AuditEntry
from scale_app.ports import Clock
from scale_app.service.tasks import Sleep

Note = Callable[[AuditEntry], None]
"""Takes an entry of the audit log; neither waits nor fails."""
AT_ONCE = 10
"""Wrong tokens of one address in a minute that are answered at once: somebody may have mistyped one."""
DELAY_S = 1.0
"""Each waits for as long, however many come at once: there are no more than connections, and those have a limit."""
MOST_ADDRESSES = 1_000
OTHERS = "other addresses"


class WrongTokens:
    """Of all addresses, in the minute that goes on."""

    def __init__(self, clock: Clock, note: Note, sleep: Sleep = asyncio.sleep) -> None:
        self._clock, self._note, self._sleep = clock, note, sleep
        self._found: Counter[str] = Counter()

    async def met(self, address: str) -> None:
        """A wrong token came from this address; returns when that may be answered."""
        counted = address if address in self._found or len(self._found) < MOST_ADDRESSES else OTHERS
        self._found[counted] += 1
        if self._found[counted] > AT_ONCE:
            await self._sleep(DELAY_S)

    def tell(self) -> None:
        """Note how many there were since the last time, and begin another minute."""
        if not (found := self._found):
            return
        self._found = Counter()
        ((most, _),) = found.most_common(1)
        tried, more = found.total(), len(found) - 1
        subject = f"{tried:,} wrong token{'' if tried == 1 else 's'}"
        why = "unknown, revoked or expired" + (f"; some from {more:,} other addresses" if more else "")
        self._note(AuditEntry(self._clock.epoch_s(), "", "", "using a token", subject, most, allowed=False, reason=why))
