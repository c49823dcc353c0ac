"""Everything of /api/v1 but files and feeds: runs, baselines, saved plans, the demo, this installation.

Each answer asks the hub and says what it said.
"""

from __future__ import annotations

from scale_app import version
from scale_app.api.operation import CheckedRequest, Made, Operation
from scale_app.api.problems import STARTS, V1
from scale_app.api.v1 import shapes
from scale_app.domain.cluster import PermissionList, TargetList
from scale_app.domain.compare import Comparison
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.errors import (
    BaselineNotFound,
    GeneratorFailed,
    NoExperiment,
    PlanError,
    PlanNotFound,
    RunNotActive,
    RunNotFound,
    RunStillActive,
    TargetUnavailable,
)
from scale_app.domain.experiment import Experiment
from scale_app.domain.identity import CALLER, Caller, NotSignedIn
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.pod_history import PodSpans
from scale_app.domain.record import RunRecord, SavedPlan
from scale_app.service.hub import Hub

RUNS = f"{V1}/runs"
RUN = f"{RUNS}/{{run_id}}"
PLAN = f"{V1}/plans/{{name}}"
EXAMPLE_PLAN = {"target_url": "simulated", "users": 4, "spawn_rate": 4, "duration_s": 1}


def run_operations(hub: Hub) -> list[Operation]:
    """The routes under /api/v1/runs, /compare and /baselines."""
    runs = _Runs(hub)
    return [*_of_all(hub, runs), *_looking(hub, runs), *_changing(hub, runs), *_holding_against(hub, runs)]


def _of_all(hub: Hub, runs: _Runs) -> list[Operation]:
    return [
        Operation(
            "POST", RUNS, "startRun", "Runs", "Start a run", runs.start, RunRecord, 201, LoadPlan,
            errors=STARTS, example=EXAMPLE_PLAN,
            does="All fields of the plan are optional. Returns the run; follow it with its stream.",
        ),
        Operation(
            "GET", RUNS, "listRuns", "Runs", "List runs, newest first", runs.list, shapes.RunPage,
            query=shapes.RunsQuery,
        ),
        Operation(
            "GET", f"{V1}/compare", "compareRuns", "Runs", "Compare two runs",
            lambda asked: hub.compare(*shapes.pair_of(asked.query.ids)), Comparison, query=shapes.PairQuery,
            errors=(RunNotFound,),
            does="If the runs cannot be compared, `reasons` says why and `changed` is null.",
        ),
    ]  # fmt: skip


def _looking(hub: Hub, runs: _Runs) -> list[Operation]:
    lost = (RunNotFound,)
    return [
        Operation(
            "GET", RUN, "getRun", "Runs", "Show a run with its last snapshot",
            lambda asked: hub.run(asked.run_id), RunRecord, errors=lost,
        ),
        Operation(
            "GET", f"{RUN}/balance", "getBalance", "Runs", "Show the balance of one window", runs.balance,
            shapes.WindowBalance, query=shapes.BalanceQuery, errors=lost,
        ),
        Operation(
            "GET", f"{RUN}/pods", "getPods", "Runs", "List each pod's share", runs.pods, shapes.PodTable, errors=lost,
        ),
        Operation(
            "GET", f"{RUN}/events", "getEvents", "Runs", "List the events of a run, without snapshots", runs.events,
            shapes.EventPage, query=shapes.EventsQuery, errors=lost, long=True,
        ),
        Operation(
            "GET", f"{RUN}/history", "getHistory", "Runs", "List one point per second", runs.history, shapes.History,
            errors=lost, long=True,
        ),
        Operation(
            "GET", f"{RUN}/pod-history", "getPodHistory", "Runs", "Show each pod's share over time", runs.pod_history,
            PodSpans, errors=lost, long=True, does="The data of the heat map; the longer the run, the longer "
                                                   "the intervals.",
        ),
        Operation(
            "GET", f"{RUN}/experiment", "planExperiment", "Runs", "Plan an experiment",
            lambda asked: hub.planned_experiment(asked.run_id), Experiment, errors=(RunNotFound, NoExperiment),
        ),
    ]  # fmt: skip


def _changing(hub: Hub, runs: _Runs) -> list[Operation]:
    over = (RunNotFound, RunNotActive)
    return [
        Operation(
            "PATCH", RUN, "editRun", "Runs", "Edit the load of an active run",
            lambda asked: hub.edit(asked.run_id, asked.body), RunRecord, takes=PlanEdit,
            errors=(*over, GeneratorFailed), example={"users": 8},
            does="Takes effect within a second. A field that is missing or null keeps its value. Returns the "
                 "run with the new plan. Simultaneous edits are applied one after the other.",
        ),
        Operation(
            "POST", f"{RUN}/stop", "stopRun", "Runs", "Stop a run", runs.stop, RunRecord, 202, errors=over,
            does="Requests in flight still count; the run has ended when its state says so. A second stop, "
                 "from 2 s after their deadline, kills the load; 20 s after the deadline Scale does so by "
                 "itself.",
        ),
        Operation(
            "POST", f"{RUN}/rerun", "rerunRun", "Runs", "Run the same plan again", runs.rerun, RunRecord,
            201, errors=(RunNotFound, *STARTS),
        ),
        Operation(
            "POST", f"{RUN}/experiment", "startExperiment", "Runs", "Start an experiment",
            runs.experiment, RunRecord, 201, errors=(RunNotFound, NoExperiment, *STARTS),
        ),
        Operation(
            "DELETE", RUN, "deleteRun", "Runs", "Delete an ended run",
            lambda asked: hub.delete(asked.run_id), status=204, errors=(RunNotFound, RunStillActive),
            does="A run that did not stop in time is ended first.",
        ),
    ]  # fmt: skip


def _holding_against(hub: Hub, runs: _Runs) -> list[Operation]:
    return [
        Operation(
            "PUT", f"{RUN}/baseline", "markBaseline", "Baselines", "Set an ended run as a baseline", runs.mark,
            RunRecord, takes=shapes.BaselineName, errors=(RunNotFound, RunStillActive), example={"name": "main"},
            does="The name moves from the run that had it.",
        ),
        Operation(
            "DELETE", f"{RUN}/baseline", "unmarkBaseline", "Baselines", "Remove a baseline",
            lambda asked: hub.mark_baseline(asked.run_id, ""), status=204, errors=(RunNotFound, RunStillActive),
        ),
        Operation(
            "GET", f"{V1}/baselines/{{name}}", "getBaseline", "Baselines", "Show the run of a baseline",
            lambda asked: hub.baseline(asked.name), RunRecord, errors=(BaselineNotFound,),
        ),
    ]  # fmt: skip


def installation_operations(hub: Hub) -> list[Operation]:
    """The routes under /api/v1/plans, /demo and /installation."""
    return [
        Operation(
            "GET", f"{V1}/plans", "listPlans", "Saved plans", "List saved plans",
            lambda _: _saved_plans(hub), shapes.SavedPlans,
        ),
        Operation(
            "GET", PLAN, "getPlan", "Saved plans", "Show a saved plan",
            lambda asked: hub.plan(asked.name), SavedPlan, errors=(PlanNotFound,),
        ),
        Operation(
            "PUT", PLAN, "savePlan", "Saved plans", "Save a plan under a name",
            lambda asked: hub.save_plan(asked.name, asked.body), SavedPlan, takes=LoadPlan,
            example={"target_url": "simulated", "users": 4}, does="Replaces a plan with the same name.",
        ),
        Operation(
            "DELETE", PLAN, "deletePlan", "Saved plans", "Delete a saved plan",
            lambda asked: hub.delete_plan(asked.name), status=204, errors=(PlanNotFound,),
        ),
        Operation(
            "GET", f"{V1}/installation", "getInstallation", "Installation", "Show limits and state of this server",
            lambda _: _installation(hub), shapes.Installation,
        ),
        Operation(
            "GET", f"{V1}/me", "getCaller", "Installation", "Show who calls", _caller, Caller,
            does="The name and role by which this server knows the caller, how it was recognised, and the address.",
        ),
        Operation(
            "GET", f"{V1}/targets", "listTargets", "Installation", "List targets in the configured clusters",
            lambda _: hub.targets(), TargetList,
            does="`problem` says what could not be read; the rest is listed.",
        ),
        Operation(
            "GET", f"{V1}/sources", "listSources", "Installation", "List permissions in a cluster",
            lambda asked: hub.permissions(asked.query.service), PermissionList, query=shapes.SourcesQuery,
            does="For each counting source: what it is used for, which permissions it needs, which are missing.",
        ),
        Operation(
            "GET", f"{V1}/demo", "getDemo", "Installation", "Show the demo",
            lambda _: hub.demo.status(), DemoStatus, errors=(TargetUnavailable,),
        ),
        Operation(
            "PATCH", f"{V1}/demo", "changeDemo", "Installation", "Change the demo",
            lambda asked: hub.demo.change(asked.body), DemoStatus,
            takes=DemoChange, errors=(TargetUnavailable,), example={"policy": "weighted", "weight": 3},
            does="Policy, faults and pods. Takes effect at once, also during a run.",
        ),
    ]  # fmt: skip


async def _installation(hub: Hub) -> shapes.Installation:
    active = tuple(record.run_id for record in hub.active())
    return shapes.Installation(hub.limits, hub.max_runs, active, hub.notify_problem, hub.storing, version())


async def _caller(_asked: CheckedRequest) -> Caller:
    if (caller := CALLER.get()) is None:
        raise NotSignedIn
    return caller


async def _saved_plans(hub: Hub) -> shapes.SavedPlans:
    return shapes.SavedPlans(tuple(await hub.plans()))


class _Runs:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    async def start(self, asked: CheckedRequest) -> Made:
        return await self._made(await self._hub.start(asked.body))

    async def list(self, asked: CheckedRequest) -> shapes.RunPage:
        query: shapes.RunsQuery = asked.query
        records = await self._hub.runs(query.limit, query.offset, query)
        total = await self._hub.count(query)
        return shapes.RunPage(tuple(map(shapes.summary_of, records)), total, query.limit, query.offset)

    async def balance(self, asked: CheckedRequest) -> shapes.WindowBalance:
        return shapes.window_of(await self._hub.run(asked.run_id), asked.query.window)

    async def pods(self, asked: CheckedRequest) -> shapes.PodTable:
        return shapes.pods_of(await self._hub.run(asked.run_id))

    async def events(self, asked: CheckedRequest) -> shapes.EventPage:
        await self._hub.run(asked.run_id)
        query: shapes.EventsQuery = asked.query
        later = [each for each in await self._hub.happenings(asked.run_id) if each.seq > query.after]
        page = tuple(later[: query.limit])
        return shapes.EventPage(asked.run_id, page, page[-1].seq if page else -1)

    async def history(self, asked: CheckedRequest) -> shapes.History:
        await self._hub.run(asked.run_id)
        return shapes.History(asked.run_id, tuple(await self._hub.history(asked.run_id)))

    async def pod_history(self, asked: CheckedRequest) -> PodSpans:
        await self._hub.run(asked.run_id)
        return await self._hub.pod_spans(asked.run_id)

    async def stop(self, asked: CheckedRequest) -> RunRecord:
        await self._hub.stop(asked.run_id)
        return await self._hub.run(asked.run_id)

    async def rerun(self, asked: CheckedRequest) -> Made:
        return await self._made(await self._hub.rerun(asked.run_id))

    async def experiment(self, asked: CheckedRequest) -> Made:
        return await self._made(await self._hub.experiment(asked.run_id))

    async def mark(self, asked: CheckedRequest) -> RunRecord:
        if not asked.body.name:
            raise PlanError("name", "", "a baseline needs a name; to remove it, use DELETE")
        await self._hub.mark_baseline(asked.run_id, asked.body.name)
        return await self._hub.run(asked.run_id)

    async def _made(self, run_id: str) -> Made:
        return Made(f"{RUNS}/{run_id}", await self._hub.run(run_id))
