"""Leases in the database, by its own clock; and the installation's id, by which its keys elsewhere begin."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from scale_app.adapters.store.database import READ_LIMIT_S, Sessions
from scale_app.adapters.store.tables import InstallationRow, LeaseRow
from scale_app.domain.errors import LeaseLost
from scale_app.replica_ports import LEASE_S, Lease

NOW = {
    "sqlite": text("SELECT (julianday('now') - 2440587.5) * 86400.0"),
    "postgresql": text("SELECT CAST(extract(epoch FROM clock_timestamp()) AS float8)"),
}
ONLY = 1


class SqlLeases(Sessions):
    """Fulfils replica_ports.Leases. Its methods raise StoreUnavailable."""

    async def claim(self, name: str, holder: str) -> Lease | None:
        unknown = {"name": name, "holder": "", "number": 0, "until_epoch_s": 0.0}
        async with self._writing(f"Claiming {name}", READ_LIMIT_S) as session:
            await session.execute(self._insert(LeaseRow), [unknown])
            # Read after the row is locked, so that nobody has changed it since.
            row = (await session.scalars(_of(name).with_for_update())).one()
            now_s = await self._now_s(session)
            if row.until_epoch_s > now_s and row.holder != holder:
                return None
            if row.until_epoch_s <= now_s:
                row.number = max(row.number + 1, int(now_s * 1_000_000))
            row.holder, row.until_epoch_s = holder, now_s + LEASE_S
            return Lease(name, holder, row.number)

    async def renew(self, lease: Lease) -> None:
        known = {"name": lease.name, "holder": lease.holder, "number": lease.number, "until_epoch_s": 0.0}
        async with self._writing(f"Renewing the lease of {lease.name}", READ_LIMIT_S) as session:
            await session.execute(self._insert(LeaseRow), [known])
            until_s = await self._now_s(session) + LEASE_S
            mine = update(LeaseRow).where(col(LeaseRow.name) == lease.name, col(LeaseRow.number) == lease.number)
            renewed: Any = await session.execute(mine.values(until_epoch_s=until_s, holder=lease.holder))
            if not renewed.rowcount:
                raise LeaseLost(lease.name)

    async def release(self, lease: Lease) -> None:
        mine = update(LeaseRow).where(col(LeaseRow.name) == lease.name, col(LeaseRow.number) == lease.number)
        async with self._writing(f"Releasing the lease of {lease.name}", READ_LIMIT_S) as session:
            await session.execute(mine.values(until_epoch_s=0.0))

    async def free(self, names: Sequence[str]) -> frozenset[str]:
        async with self._reading("Looking at leases") as session:
            now_s = await self._now_s(session)
            held = select(col(LeaseRow.name)).where(col(LeaseRow.name).in_(names), col(LeaseRow.until_epoch_s) > now_s)
            return frozenset(names) - frozenset(await session.scalars(held))

    async def installation(self) -> str:
        """The installation's id, made at the first question."""
        async with self._writing("Reading the installation's id", READ_LIMIT_S) as session:
            await session.execute(self._insert(InstallationRow), [{"only": ONLY, "id": uuid.uuid4().hex}])
            return (await session.scalars(select(col(InstallationRow.id)))).one()

    async def _now_s(self, session: AsyncSession) -> float:
        return float(await session.scalar(NOW[self._engine.dialect.name]) or 0.0)


def _of(name: str) -> Any:
    return select(LeaseRow).where(col(LeaseRow.name) == name)
