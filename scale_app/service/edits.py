"""The plan of a run that goes on: edits come one after the other, and what is told of it is what the load was given."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf

from scale_app.domain.errors import GeneratorFailed, RunNotActive, ScaleError
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.ports import Clock, Load

log = logging.getLogger(__name__)


class Edits:
    """One run's edits. plan: the newest, with every edit that was taken; tell: takes each new one, in order.

    An edit before the load is there is kept: the load begins with it.
    """

    def __init__(self, run_id: str, plan: LoadPlan, clock: Clock, tell: Callable[[LoadPlan], None]) -> None:
        self.plan = plan
        self._run_id = run_id
        self._clock = clock
        self._tell = tell
        self._turn = asyncio.Lock()
        self._load: Load | None = None
        self._ends_at_s = inf
        self._over = ""

    async def edit(self, edit: PlanEdit, limits: Limits) -> LoadPlan:
        """The plan from now on. Raises PlanError, RunNotActive, GeneratorFailed; nothing is changed then."""
        # Whoever asked may go away in the middle: the load would then run what no record says.
        return await asyncio.shield(asyncio.create_task(self._edit(edit, limits)))

    async def follow(self, load: Load, began_as: LoadPlan) -> None:
        """From now on edits go to this load, first those that came since it was given its plan."""
        async with self._turn:
            if self.plan != began_as:
                await load.edit(_figures(self.plan))
            self._load = load

    def begun(self, at_s: float) -> None:
        """The load has begun to send at this monotonic time."""
        self._ends_at_s = at_s + self.plan.duration_s

    def end(self, why: str) -> None:
        """No more edits. why: what the run is, as in "stopping"."""
        self._over = self._over or why

    async def _edit(self, edit: PlanEdit, limits: Limits) -> LoadPlan:
        async with self._turn:
            self._check_open()
            plan = self.plan.edited(edit)
            plan.check_limits(limits)
            if plan != self.plan:
                await self._give(plan)
                self.plan = plan
                self._tell(plan)
            return plan

    async def _give(self, plan: LoadPlan) -> None:
        """The whole goal each time, so that no edit depends on an earlier one having arrived."""
        if self._load is None:
            return
        try:
            await self._load.edit(_figures(plan))
        except ScaleError:
            raise
        except Exception as error:
            log.exception("run %s: its load did not take an edit", self._run_id)
            raise GeneratorFailed(
                f"The load generator did not take users = {plan.users} and spawn_rate = {plan.spawn_rate:g} ({error}), "
                "so the run goes on as it was. Try again, or stop the run."
            ) from error

    def _check_open(self) -> None:
        over = "ending, since its time is over" if self._clock.monotonic_s() >= self._ends_at_s else self._over
        if over:
            raise RunNotActive(f"Run {self._run_id} is {over}, so its load cannot be changed.")


def _figures(plan: LoadPlan) -> PlanEdit:
    return PlanEdit(plan.users, plan.spawn_rate, plan.arrivals_per_s)
