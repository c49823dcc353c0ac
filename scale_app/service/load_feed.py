"""One run's load generator, from its start to its end. Whatever happens, the run is told of an end.

A load generator that does not start, does not stop, goes on beyond its time or fails is killed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from math import inf

from scale_app.domain.errors import GeneratorFailed, RunNotActive, ScaleError, named
from scale_app.domain.plan import Limits, LoadPlan, PlanEdit
from scale_app.domain.samples import LoadEnded, LoadReady, PlanChanged, Sample, StopAsked
from scale_app.domain.snapshot import RunState
from scale_app.ports import Admitted, Clock, Load, LoadGenerator
from scale_app.service.counter_feeds import CounterFeeds
from scale_app.service.tasks import cancelled, settled_within

log = logging.getLogger(__name__)
START_LIMIT_S = 120.0
"""From the run's start to the first word of its load, the first reading of a source included."""
OVERDUE_S = 30.0
"""Beyond the plan's duration and the deadline of a request; an adapter that sees to that itself is sooner."""
STOP_LIMIT_S = 20.0
"""Beyond the deadline of a request, from a stop to the end."""
FIRM_STOP_S = 2.0
"""Beyond the deadline of a request, from a stop until another one ends the load at once."""
GONE_LIMIT_S = 3.0
ANSWER_LIMIT_S = 5.0
LOOK_EVERY_S = 1.0
LATE_LOOKS = 3
"""A process that was paused finds every deadline gone by, and has to read first what came meanwhile."""
FAILED = "The load ended with an unexpected error ({error}); the server's log has the details. Start the run again."
NOT_STARTED = "The load generator did not start within {limit_s:g} s and was killed. Start the run again."
MISSING = "was killed; its last second may be missing."
NOT_ENDED = f"The load generator did not end within {{limit_s:g}} s {{of}} and {MISSING}"
NOT_STOPPED = f"The load generator could not be asked to stop and {MISSING}"
PUT_DOWN = f"The load generator did not stop when asked, so on the second stop it {MISSING}"
BROKE_OFF = "The load generator stopped without reporting its end and was killed. Start the run again."


class LoadFeed:
    """See the module. put: takes each sample; after the first LoadEnded nothing that comes counts."""

    def __init__(
        self, run_id: str, plan: LoadPlan, counters: CounterFeeds, clock: Clock, put: Callable[[Sample], None]
    ) -> None:
        self._run_id = run_id
        self._counters = counters
        self._clock = clock
        self._put = put
        self.edits = Edits(run_id, plan, clock, self._plan_changed)
        self._load: Load | None = None
        self._stop_asked_at_s: float | None = None
        self._ends_by_s = clock.monotonic_s() + START_LIMIT_S
        self._too_late = NOT_STARTED.format(limit_s=START_LIMIT_S)
        self._over = False
        self._why = ""

    @property
    def plan(self) -> LoadPlan:
        """With every edit that was taken."""
        return self.edits.plan

    @property
    def stuck(self) -> bool:
        """True when a stop was asked for and the load had the time to end."""
        asked_s = self._stop_asked_at_s
        return asked_s is not None and self._clock.monotonic_s() > asked_s + self.plan.timeout_s + FIRM_STOP_S

    async def run(self, generator: LoadGenerator, target: Admitted) -> None:
        """Start the load and see it through; returns after its end was put. Raises nothing of its parts."""
        watch = asyncio.create_task(self._watch())
        try:
            why = await self._see_through(generator, target)
        except ScaleError as error:
            why = str(error)
        except Exception as error:
            log.exception("run %s: its load is ended by an error inside Scale", self._run_id)
            why = FAILED.format(error=named(error))
        finally:
            await cancelled(watch)
        if why:
            self._end(why)

    async def stop(self) -> None:
        """Let the requests in flight finish, then end. Of a load that had the time for that, and did not: put it down.

        Raises RunNotActive when it was asked before and may still answer.
        """
        if self.stuck:
            # Of a load that has ended, only a last reading of its counts may still be under way.
            return self._end("" if self._over else PUT_DOWN)
        if self._stop_asked_at_s is not None:
            raise RunNotActive(
                f"Run {self._run_id} is stopping already: requests in flight have up to {self.plan.timeout_s:g} s. "
                "If it has not ended then, stop it again."
            )
        self._stop_asked_at_s = self._clock.monotonic_s()
        self.edits.end(RunState.STOPPING)
        self._put(StopAsked(self._stop_asked_at_s))
        return await self._ask_to_end(STOP_LIMIT_S + self.plan.timeout_s, "of the stop")

    async def finish(self) -> None:
        """What was to be found out is known: end the load as at the end of its time; requests in flight still count."""
        self.edits.end("ending, because it is decided")
        await self._ask_to_end(STOP_LIMIT_S + self.plan.timeout_s, "of the decision")

    async def give_up(self, why: str) -> None:
        """The run has failed: end the load soon, with what it counted. why: a sentence."""
        self._why = self._why or why
        if self._load is None:
            return self._end(why)
        self.edits.end("ending")
        return await self._ask_to_end(GONE_LIMIT_S, "")

    async def kill(self) -> None:
        """Nothing sends load when this returns. Raises what the generator raises."""
        if self._load is not None:
            await self._load.kill()

    async def _ask_to_end(self, limit_s: float, of: str) -> None:
        self._end_within(limit_s, of)
        what = f"run {self._run_id}: the stop of its load"
        if self._load and not await settled_within(self._clock, ANSWER_LIMIT_S, what, self._load.stop()):
            self._end(NOT_STOPPED)

    async def _see_through(self, generator: LoadGenerator, target: Admitted) -> str:
        """Why there was no proper end, "" when there was."""
        if problem := await self._counters.open(target):
            return problem
        plan = self.edits.plan
        self._load = await generator.start(plan, target)
        await self.edits.follow(self._load, plan)
        if self._stop_asked_at_s is not None or self._why:
            await self._load.stop()
        async for sample in self._load.samples():
            await self._take(sample)
        return "" if self._over else BROKE_OFF

    async def _take(self, sample: Sample) -> None:
        if isinstance(sample, LoadReady):
            self._begun(sample)
        if not isinstance(sample, LoadEnded):
            return self._put(sample)
        self._over = True
        self.edits.end("ending")
        await self._counters.last_reading(sample.at_s)
        return self._put(LoadEnded(sample.at_s, self._why or sample.error))

    def _begun(self, sample: LoadReady) -> None:
        self.edits.begun(sample.at_s)
        if self._stop_asked_at_s is None and not self._why:
            self._end_within(self.plan.duration_s + self.plan.timeout_s + OVERDUE_S, "of its begin")

    def _end_within(self, limit_s: float, of: str) -> None:
        self._ends_by_s = self._clock.monotonic_s() + limit_s
        self._too_late = NOT_ENDED.format(of=of, limit_s=limit_s)

    async def _watch(self) -> None:
        """End the run of a load that is late; what keeps it is killed with the run."""
        late = 0
        while late < LATE_LOOKS:
            await self._clock.sleep(LOOK_EVERY_S)
            late = late + 1 if not self._over and self._clock.monotonic_s() > self._ends_by_s else 0
        self._end(self._too_late)

    def _plan_changed(self, plan: LoadPlan) -> None:
        self._put(PlanChanged(self._clock.monotonic_s(), plan.users, plan.spawn_rate, plan.arrivals_per_s))

    def _end(self, why: str) -> None:
        self.edits.end("ending")
        self._put(LoadEnded(self._clock.monotonic_s(), self._why or why))


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
            log.exception("run %s: its load did not accept an edit", self._run_id)
            raise GeneratorFailed(
                f"The load generator did not accept users = {plan.users} and spawn_rate = {plan.spawn_rate:g} "
                f"({error}), so the run continues unchanged. Try again, or stop the run."
            ) from error

    def _check_open(self) -> None:
        over = "ending, because its duration is reached" if self._clock.monotonic_s() >= self._ends_at_s else self._over
        if over:
            raise RunNotActive(f"Run {self._run_id} is {over}, so its load cannot be changed.")


def _figures(plan: LoadPlan) -> PlanEdit:
    return PlanEdit(plan.users, plan.spawn_rate, plan.arrivals_per_s)
