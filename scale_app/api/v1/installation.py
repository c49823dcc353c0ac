"""Saved plans, the demo, and what this installation allows, over REST."""

from __future__ import annotations

from scale_app.api.operation import Operation
from scale_app.api.problems import V1
from scale_app.api.v1.shapes import Installation, SavedPlans, SourcesQuery
from scale_app.domain.cluster import PermissionList, TargetList
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.errors import PlanNotFound, TargetUnavailable
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import SavedPlan
from scale_app.service.hub import Hub

PLAN = f"{V1}/plans/{{name}}"


def installation_operations(hub: Hub) -> list[Operation]:
    """The routes under /api/v1/plans, /demo and /installation."""
    return [*_plans(hub), *_of_installation(hub)]


def _plans(hub: Hub) -> list[Operation]:
    return [
        Operation(
            "GET", f"{V1}/plans", "listPlans", "Saved plans", "List saved plans",
            lambda _: _saved_plans(hub), SavedPlans,
        ),
        Operation(
            "GET", PLAN, "getPlan", "Saved plans", "One saved plan",
            lambda asked: hub.plan(asked.name), SavedPlan, errors=(PlanNotFound,),
        ),
        Operation(
            "PUT", PLAN, "savePlan", "Saved plans", "Save a plan under a name",
            lambda asked: hub.save_plan(asked.name, asked.body), SavedPlan, takes=LoadPlan,
            example={"target_url": "simulated", "users": 4}, does="A plan that had the name is replaced.",
        ),
        Operation(
            "DELETE", PLAN, "deletePlan", "Saved plans", "Delete a saved plan",
            lambda asked: hub.delete_plan(asked.name), status=204, errors=(PlanNotFound,),
        ),
    ]  # fmt: skip


def _of_installation(hub: Hub) -> list[Operation]:
    return [
        Operation(
            "GET", f"{V1}/installation", "getInstallation", "Installation", "The limits and the state of this server",
            lambda _: _installation(hub), Installation,
        ),
        Operation(
            "GET", f"{V1}/targets", "listTargets", "Installation", "What the configured clusters offer to load",
            lambda _: hub.targets(), TargetList,
            does="`problem` says what could not be read; the rest is listed.",
        ),
        Operation(
            "GET", f"{V1}/sources", "listSources", "Installation", "What this installation may read in a cluster",
            lambda asked: hub.permissions(asked.query.service), PermissionList, query=SourcesQuery,
            does="For each source: what it is used for, which rules it needs, which are missing.",
        ),
        Operation(
            "GET", f"{V1}/demo", "getDemo", "Installation", "The built-in target",
            lambda _: hub.demo.status(), DemoStatus, errors=(TargetUnavailable,),
        ),
        Operation(
            "PATCH", f"{V1}/demo", "changeDemo", "Installation", "Change the built-in target",
            lambda asked: hub.demo.change(asked.body), DemoStatus,
            takes=DemoChange, errors=(TargetUnavailable,), example={"policy": "weighted", "weight": 3},
            does="Policy, faults and pods; takes effect at once, also while a run sends load to it.",
        ),
    ]  # fmt: skip


async def _installation(hub: Hub) -> Installation:
    active = tuple(record.run_id for record in hub.active())
    return Installation(hub.limits, hub.max_runs, active, hub.notify_problem, hub.storing)


async def _saved_plans(hub: Hub) -> SavedPlans:
    return SavedPlans(tuple(await hub.plans()))
