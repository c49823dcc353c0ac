"""Saved plans, the demo, and what this installation allows, over REST."""

from __future__ import annotations

from scale_app.api.operation import Asked, Operation
from scale_app.api.problems import V1
from scale_app.api.v1.shapes import Installation, SavedPlans, SourcesQuery
from scale_app.domain.cluster import PermissionList, TargetList
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.errors import PlanNotFound, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import SavedPlan
from scale_app.service.runs import Runs

PLAN = f"{V1}/plans/{{name}}"


def installation_operations(hub: Runs) -> list[Operation]:
    """The routes under /api/v1/plans, /demo and /installation."""
    return [*_plans(_Plans(hub)), *_of_installation(_Installation(hub))]


def _plans(plans: _Plans) -> list[Operation]:
    return [
        Operation("GET", f"{V1}/plans", "listPlans", "Saved plans", "List saved plans", plans.list, SavedPlans),
        Operation(
            "GET", PLAN, "getPlan", "Saved plans", "One saved plan", plans.get, SavedPlan, errors=(PlanNotFound,),
        ),
        Operation(
            "PUT", PLAN, "savePlan", "Saved plans", "Save a plan under a name", plans.save, SavedPlan, takes=LoadPlan,
            example={"target_url": "simulated", "users": 4}, does="A plan that had the name is replaced.",
        ),
        Operation(
            "DELETE", PLAN, "deletePlan", "Saved plans", "Delete a saved plan", plans.delete, status=204,
            errors=(PlanNotFound,),
        ),
    ]  # fmt: skip


def _of_installation(here: _Installation) -> list[Operation]:
    return [
        Operation(
            "GET", f"{V1}/installation", "getInstallation", "Installation", "The limits and the state of this server",
            here.get, Installation,
        ),
        Operation(
            "GET", f"{V1}/targets", "listTargets", "Installation", "What the configured clusters offer to load",
            here.targets, TargetList,
            does="`problem` says what could not be read; the rest is listed.",
        ),
        Operation(
            "GET", f"{V1}/sources", "listSources", "Installation", "What this installation may read in a cluster",
            here.sources, PermissionList, query=SourcesQuery,
            does="For each source: what it is used for, which rules it needs, which are missing.",
        ),
        Operation(
            "GET", f"{V1}/demo", "getDemo", "Installation", "The built-in target", here.demo, DemoStatus,
            errors=(TargetUnavailable,),
        ),
        Operation(
            "PATCH", f"{V1}/demo", "changeDemo", "Installation", "Change the built-in target", here.change, DemoStatus,
            takes=DemoChange, errors=(TargetUnavailable,), example={"policy": "weighted", "weight": 3},
            does="Policy, faults and pods; takes effect at once, also while a run sends load to it.",
        ),
    ]  # fmt: skip


class _Plans:
    def __init__(self, hub: Runs) -> None:
        self._hub = hub

    async def list(self, _asked: Asked) -> SavedPlans:
        return SavedPlans(tuple(await self._hub.plans()))

    async def get(self, asked: Asked) -> SavedPlan:
        return await self._hub.plan(asked.name)

    async def save(self, asked: Asked) -> SavedPlan:
        return await self._hub.save_plan(asked.name, asked.body)

    async def delete(self, asked: Asked) -> None:
        await self._hub.delete_plan(asked.name)


class _Installation:
    def __init__(self, hub: Runs) -> None:
        self._hub = hub

    async def get(self, _asked: Asked) -> Installation:
        hub = self._hub
        active = tuple(record.run_id for record in hub.active())
        return Installation(hub.limits, hub.max_runs, active, hub.notify_problem, hub.storing)

    async def targets(self, _asked: Asked) -> TargetList:
        return await self._hub.targets()

    async def sources(self, asked: Asked) -> PermissionList:
        return await self._hub.permissions(asked.query.service)

    async def demo(self, _asked: Asked) -> DemoStatus:
        return await self._hub.demo.status()

    async def change(self, asked: Asked) -> DemoStatus:
        return await self._hub.demo.change(asked.body)
