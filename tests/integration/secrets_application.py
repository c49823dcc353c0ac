"""The real server, but for it secrets may be sent to targets on this machine. `python -m` serves it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from scale_app.adapters import gatekeeper
from scale_app.domain.plan import LoadPlan
from scale_app.domain.secret import needed
from scale_app.ports import Admitted
from scale_app.secret_settings import load_secrets
from tests.integration import hub_application


class TrustingGatekeeper(gatekeeper.TargetGatekeeper):
    """Admits as the real one does, and takes every secret for bound to wherever the plan goes."""

    async def admit(self, plan: LoadPlan, recent_s: float = 0.0) -> Admitted:
        admitted = await super().admit(replace(plan, headers={}, body=""), recent_s)
        bound = {secret.name: secret.value for secret in load_secrets()}
        return replace(admitted, secrets=needed(plan.headers, plan.body, bound))


if __name__ == "__main__":
    gatekeeper.TargetGatekeeper = TrustingGatekeeper  # type: ignore[misc]
    asyncio.run(hub_application.main())
