"""What each browser tab sees: the view of one run, refreshed as the hub reports. Truth stays with the hub."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import NoExperiment, RunNotFound, ScaleError, StoreUnavailable
from scale_app.domain.events import AlertRaised, Event, SnapshotTaken
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import RunState
from scale_app.ui import BUILD_ID
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import set_changed
from scale_app.ui.shown.viewers import (
    VIEWERS,
    Changes,
    Following,
    Renewed,
    newest_of,
    paced,
    session_of,
    view_of,
)
from scale_app.views.comparing import sequel_of
from scale_app.views.sentences import alert_title, check_rows
from scale_app.views.view import NO_SEQUEL, NOTHING, CheckRow, OtherRun, RunView, Sequel

Item = tuple[str, Event]
GAP_S = 0.3
IDLE_S = 5.0
OWN_S = 20.0
"""A tab's own state is renewed so often, which keeps it from expiring."""
RUN_ROUTE = "/runs/"


@dataclass(slots=True)
class Tab:
    """What only this tab was told. session: of its socket; at_s: when, on the loop's clock."""

    session: str = ""
    at_s: float = 0.0
    notify_problem: str = ""

    def told(self, notify_problem: str) -> None:
        self.at_s, self.notify_problem = asyncio.get_running_loop().time(), notify_problem

    @property
    def due(self) -> bool:
        """Whether there is something to tell this tab alone."""
        too_old = asyncio.get_running_loop().time() - self.at_s >= OWN_S
        return too_old or self.notify_problem != wiring.hub().notify_problem


class ShownRun(rx.State):
    """What the form needs to know of the shown run. It changes rarely, so that the form is not drawn each second."""

    run_id: str = ""
    active: bool = False
    stopping: bool = False

    def show(self, record: RunRecord | None) -> None:
        state = record.state if record else None
        set_changed(
            self,
            run_id=record.run_id if record else "",
            active=state is not None and state.active,
            stopping=state is RunState.STOPPING,
        )


class Follower(Renewed, rx.State):
    """The run that this tab shows. `ready` turns true once the hub has told what there is.

    problem: why there is nothing to show, "" when there is no reason; unknown: it is that there is no such run.
    beat: rises with each sign of life from the server, 0 while none is to be expected. build: the server's build.
    """

    view: RunView = NOTHING
    sequel: Sequel = NO_SEQUEL
    checks: rx.Field[list[CheckRow]] = rx.field(default_factory=list)
    others: rx.Field[list[OtherRun]] = rx.field(default_factory=list)
    ready: bool = False
    problem: str = ""
    unknown: bool = False
    notify_problem: str = ""
    beat: int = 0
    build: str = ""

    def _renew(self) -> None:
        newest = newest_of(self.view.run_id)
        if newest is not None and newest.view is not self.view:
            self.view = newest.view

    @rx.event(background=True, supersedes=True)
    async def follow(self) -> AsyncIterator[Any]:
        """Runs for as long as the tab is open: first what is known of the run, then every second of it."""
        async with self:
            only = run_of_path(self.router.url.path)
            self.ready, self.problem, self.build = False, "", BUILD_ID
            if only not in ("", self.view.run_id):
                self.view, self.sequel = NOTHING, NO_SEQUEL
            own = Tab(session_of(self))
        following = Following()
        try:
            async with wiring.hub().subscribe(only or None) as events:
                await _show_first(self, own, following, only)
                async for batch in paced(events, GAP_S, IDLE_S):
                    for toast in await _take(self, own, following, batch, only):
                        yield toast
            async with self:
                self.beat = 0
        except ScaleError as error:
            async with self:
                self.view, self.sequel, self.problem, self.ready = NOTHING, NO_SEQUEL, str(error), True
                self.unknown = isinstance(error, RunNotFound)
                self.beat = 0
        finally:
            await VIEWERS.leave(own.session, own)


async def _show_first(tab: Follower, own: Tab, following: Following, only: str) -> None:
    """The run of the page's address; else the newest that is running; else the newest."""
    hub = wiring.hub()
    try:
        first = [only] if only else [run.run_id for run in hub.active()[:1] or await hub.runs(1)]
        if first:
            await _turn_to(following, first[0])
    except StoreUnavailable as error:
        if only:
            raise
        # A run that begins later is seen all the same.
        async with tab:
            tab.problem = str(error)
    await _push(tab, own, following, turned=True)


async def _take(tab: Follower, own: Tab, following: Following, batch: list[Item], only: str) -> list[Any]:
    """Take a batch of events in, show them, and give the toasts that they call for."""
    wanted = only
    if not only and any(run_id != following.run_id for run_id, _ in batch):
        async with tab:
            wanted = (await tab.get_state(PlanForm)).started
    turned, told, toasts = False, False, []
    for run_id, event in batch:
        if not only and following.gives_way_to(run_id, wanted):
            await _turn_to(following, run_id)
            turned = True
        if run_id == following.run_id:
            following.take(event)
            told = True
            if isinstance(event, AlertRaised):
                toasts.append(rx.toast.warning(alert_title(event.alert), duration=10_000))
    only_figures = all(isinstance(event, SnapshotTaken) for _, event in batch)
    if turned or (told and (own.due or not only_figures)):
        await _push(tab, own, following, turned)
    elif told:
        await _tell_all(following)
    else:
        # A sign of life, which also keeps the tab's state from expiring while nothing happens.
        async with tab:
            tab.beat += 1
    return toasts


async def _tell_all(following: Following) -> None:
    """The newest second, to every tab that looks at this run; the first tab to notice it tells all."""
    record = following.record
    if record is None or record.last is None:
        return
    seen, seq = record, record.last.seq

    def changes() -> Changes:
        view = view_of(seen, following.points, following.happened, following.pods)
        return {Follower: {"view": view, "beat": seq}}

    await VIEWERS.send(record.run_id, seq, changes)


async def _push(tab: Follower, own: Tab, following: Following, turned: bool) -> None:
    """One look at the tab's state, hence one message to the browser."""
    record = following.record
    view = view_of(record, following.points, following.happened, following.pods) if record else NOTHING
    sequel, checks = (await _sequel(record), await _checks(record)) if record else (NO_SEQUEL, [])
    others = [
        OtherRun(other.run_id, f"{other.plan.target_url}, {other.state}")
        for other in wiring.hub().active()
        if other.run_id != following.run_id
    ]
    if turned:
        # What others are still told of the former run must not come after the new one.
        await VIEWERS.leave(own.session, own)
    async with tab:
        first, tab.view, tab.ready = not tab.ready, view, True
        tab.beat += 1
        set_changed(tab, sequel=sequel, checks=checks, others=others, notify_problem=wiring.hub().notify_problem)
        (await tab.get_state(ShownRun)).show(record)
        form = await tab.get_state(PlanForm)
        if first:
            form.is_open = not view.active
        if form.starting and (turned or view.run_id == form.started):
            form.starting = False
        if record and record.state.active:
            await form.take(_plan_now(record)) if turned else form.adopt(_plan_now(record))
    own.told(wiring.hub().notify_problem)
    await VIEWERS.join(own.session, view.run_id, own)


async def _sequel(record: RunRecord) -> Sequel:
    """What can follow a run, or what it decided; the hub knows."""
    planned, compared = None, None
    if not record.state.active:
        with suppress(NoExperiment, RunNotFound, StoreUnavailable):
            planned = await wiring.hub().planned_experiment(record.run_id)
        with suppress(RunNotFound, StoreUnavailable):
            compared = record.experiment_of and await wiring.hub().compare(record.experiment_of, record.run_id)
    return sequel_of(record, planned, compared or None)


async def _checks(record: RunRecord) -> list[CheckRow]:
    """The thresholds that its plan asks for, once it has ended."""
    if not record.state.active:
        with suppress(RunNotFound, StoreUnavailable):
            return check_rows(await wiring.hub().gate(record.run_id))
    return []


async def _turn_to(following: Following, run_id: str) -> None:
    hub = wiring.hub()
    points, happened, pods = await hub.history(run_id), await hub.events(run_id), await hub.pod_history(run_id)
    # Last, since it tells what of the others cannot be read; of a run that goes on nothing here waits.
    following.show(await hub.run(run_id), points, happened, pods)


def run_of_path(path: str) -> str:
    """The run's id in the page's address, "" on the live page."""
    return path.partition(RUN_ROUTE)[2].strip("/")


def _plan_now(record: RunRecord) -> LoadPlan:
    """Not as of the last event that this tab has heard of: it may have edited the plan itself since."""
    return next((run.plan for run in wiring.hub().active() if run.run_id == record.run_id), record.plan)
