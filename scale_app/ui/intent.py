"""What the person wants: the form's texts, kept as typed. Only `LoadPlan` judges them; only the hub acts on them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import PlanError, ScaleError
from scale_app.domain.plan import DEMO_TARGET, LoadPlan, PlanEdit
from scale_app.ui.steps import duration_stops, nearest, stops
from scale_app.views import format as shown

DEFAULTS = LoadPlan()
DEFAULT_EVERY = DEFAULTS.requests_per_connection or 1
USERS = stops(wiring.settings().limits.users)
SPAWN_RATES = stops(wiring.settings().limits.spawn_rate)
DURATIONS_S = duration_stops(wiring.settings().limits.duration_s)


class Intent(rx.State):
    """The form. Numbers are texts so that a wrong one stays where it was typed until it is put right.

    The texts are kept in the tab as well, so that neither a reload nor a restart of the server loses them.
    """

    target: str = rx.SessionStorage(DEFAULTS.target_url)
    users: str = rx.SessionStorage(shown.plain(DEFAULTS.users))
    spawn_rate: str = rx.SessionStorage(shown.plain(DEFAULTS.spawn_rate))
    duration: str = rx.SessionStorage(shown.plain(DEFAULTS.duration_s))
    connections: str = rx.SessionStorage("some")
    every: str = rx.SessionStorage(shown.plain(DEFAULT_EVERY))
    think_ms: str = rx.SessionStorage(shown.plain(DEFAULTS.think_time_s * 1_000))
    pod_header: str = rx.SessionStorage(DEFAULTS.pod_header)
    warm_up: str = rx.SessionStorage(shown.plain(DEFAULTS.warm_up_s))
    alert_rule: str = rx.SessionStorage(DEFAULTS.alert_rule)
    pod_share: str = rx.SessionStorage("")
    p95: str = rx.SessionStorage("")
    failures: str = rx.SessionStorage("")
    problem: str = ""
    problem_field: str = ""
    starting: bool = False
    started: str = ""
    adopted: tuple[float, float] = (0, 0)

    @rx.var
    def is_demo(self) -> bool:
        return self.target.strip() == DEMO_TARGET

    @rx.var
    def users_last_stop(self) -> int:
        return len(USERS) - 1

    @rx.var
    def users_at(self) -> list[int]:
        return _slider(USERS, self.users)

    @rx.var
    def spawn_rate_last_stop(self) -> int:
        return len(SPAWN_RATES) - 1

    @rx.var
    def spawn_rate_at(self) -> list[int]:
        return _slider(SPAWN_RATES, self.spawn_rate)

    @rx.var
    def duration_last_stop(self) -> int:
        return len(DURATIONS_S) - 1

    @rx.var
    def duration_at(self) -> list[int]:
        return _slider(DURATIONS_S, self.duration)

    @rx.var
    def duration_words(self) -> str:
        seconds = shown.number(self.duration)
        return shown.span(seconds) if isinstance(seconds, int | float) and shown.known(seconds) else ""

    @rx.event
    def type_target(self, text: str) -> None:
        self.target = text

    @rx.event
    def type_users(self, text: str) -> None:
        self.users = text

    @rx.event
    def type_spawn_rate(self, text: str) -> None:
        self.spawn_rate = text

    @rx.event
    def type_duration(self, text: str) -> None:
        self.duration = text

    @rx.event
    def type_every(self, text: str) -> None:
        self.every = text

    @rx.event
    def type_think(self, text: str) -> None:
        self.think_ms = text

    @rx.event
    def type_pod_header(self, text: str) -> None:
        self.pod_header = text

    @rx.event
    def type_warm_up(self, text: str) -> None:
        self.warm_up = text

    @rx.event
    def type_pod_share(self, text: str) -> None:
        self.pod_share = text

    @rx.event
    def type_p95(self, text: str) -> None:
        self.p95 = text

    @rx.event
    def type_failures(self, text: str) -> None:
        self.failures = text

    @rx.event
    def choose_alert_rule(self, choice: str) -> None:
        self.alert_rule = choice

    @rx.event
    def choose_connections(self, choice: str) -> None:
        self.connections = choice

    @rx.event
    def slide_users(self, at: list[float]) -> None:
        self.users = shown.plain(USERS[int(at[0])])

    @rx.event
    def slide_spawn_rate(self, at: list[float]) -> None:
        self.spawn_rate = shown.plain(SPAWN_RATES[int(at[0])])

    @rx.event
    def slide_duration(self, at: list[float]) -> None:
        self.duration = shown.plain(DURATIONS_S[int(at[0])])

    @rx.event
    async def start(self) -> Any:
        """Start the run that the form describes."""
        self.starting = True
        yield
        try:
            self.started = await wiring.hub().start(self._plan())
            self._clear()
        except ScaleError as error:
            yield self._refuse(error)
        finally:
            self.starting = False

    @rx.event
    async def experiment(self, run_id: str, follow_by_address: bool) -> Any:
        """Start the run that decides what the shown one left open, and turn to it."""
        self.starting = True
        yield
        try:
            self.started = await wiring.hub().experiment(run_id)
            self._clear()
            if follow_by_address:
                yield rx.redirect(f"/runs/{self.started}")
        except ScaleError as error:
            yield self._refuse(error)
        finally:
            self.starting = False

    @rx.event
    async def stop(self, run_id: str) -> Any:
        """Stop the run that is shown."""
        try:
            await wiring.hub().stop(run_id)
            self._clear()
        except ScaleError as error:
            yield self._refuse(error)

    @rx.event
    async def settle(self, run_id: str, running: bool) -> Any:
        """A value stands: the running load follows it. Before a run there is nothing to change."""
        users, spawn_rate = shown.number(self.users), shown.number(self.spawn_rate)
        if not running or (users, spawn_rate) == self.adopted:
            return
        try:
            await wiring.hub().edit(run_id, PlanEdit(users, spawn_rate))  # type: ignore[arg-type]
            self._clear()
        except ScaleError as error:
            yield self._refuse(error)

    def adopt(self, plan: LoadPlan, everything: bool) -> None:
        """Show a running plan in the form: all of it for a run just turned to, else what another face edited."""
        if everything or self.adopted != (plan.users, plan.spawn_rate):
            self.users, self.spawn_rate = shown.plain(plan.users), shown.plain(plan.spawn_rate)
            self.adopted = (plan.users, plan.spawn_rate)
        if everything:
            self.target, self.duration = plan.target_url, shown.plain(plan.duration_s)
            self.think_ms, self.pod_header = shown.plain(plan.think_time_s * 1_000), plan.pod_header
            self.connections = {None: "keep", 1: "each"}.get(plan.requests_per_connection, "some")
            self.every = shown.plain(plan.requests_per_connection or DEFAULT_EVERY)
            self.warm_up, self.alert_rule = shown.plain(plan.warm_up_s), plan.alert_rule
            self.pod_share, self.failures = _hundredfold(plan.max_pod_share), _hundredfold(plan.max_failure_share)
            self.p95 = "" if plan.max_p95_ms is None else shown.plain(plan.max_p95_ms)

    def _plan(self) -> LoadPlan:
        """The plan as typed; a text that is no number reaches LoadPlan as it is, which says what it accepts."""
        return LoadPlan(
            target_url=self.target.strip(),
            users=shown.number(self.users),  # type: ignore[arg-type]
            spawn_rate=shown.number(self.spawn_rate),  # type: ignore[arg-type]
            duration_s=shown.number(self.duration),  # type: ignore[arg-type]
            requests_per_connection=self._requests_per_connection(),  # type: ignore[arg-type]
            think_time_s=_thousandth(shown.number(self.think_ms)),  # type: ignore[arg-type]
            pod_header=self.pod_header.strip(),
            warm_up_s=shown.number(self.warm_up),  # type: ignore[arg-type]
            alert_rule=self.alert_rule,  # type: ignore[arg-type]
            max_pod_share=_limit(self.pod_share, 100),  # type: ignore[arg-type]
            max_p95_ms=_limit(self.p95),  # type: ignore[arg-type]
            max_failure_share=_limit(self.failures, 100),  # type: ignore[arg-type]
        )

    def _requests_per_connection(self) -> int | float | str | None:
        return {"keep": None, "each": 1}.get(self.connections, shown.number(self.every))

    def _clear(self) -> None:
        self.problem = self.problem_field = ""

    def _refuse(self, error: ScaleError) -> Any:
        """Say what is wrong beside the form and in a toast; nothing typed is lost."""
        self.problem = str(error)
        self.problem_field = error.field if isinstance(error, PlanError) else ""
        return rx.toast.error(str(error), duration=10_000)


def _slider(all_stops: list[float], text: str) -> list[int]:
    value = shown.number(text)
    return [nearest(all_stops, value) if isinstance(value, int | float) and shown.known(value) else 0]


def _thousandth(value: int | float | str) -> float | str:
    return value if isinstance(value, str) else value / 1_000


def _limit(text: str, per: int = 1) -> float | str | None:
    """A limit as typed, in units of 1/per; None when nothing was typed; as it is when it is no number."""
    value = shown.number(text)
    if isinstance(value, str):
        return value if value.strip() else None
    return value / per


def _hundredfold(share: float | None) -> str:
    return "" if share is None else shown.plain(share * 100)
