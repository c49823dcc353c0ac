"""Asks the cluster, right by right, what this account may do, before anything depends on it."""

from __future__ import annotations

import asyncio

from scale_app.adapters.kubernetes.border import NotThere
from scale_app.adapters.kubernetes.client import Cluster
from scale_app.adapters.kubernetes.objects import at
from scale_app.domain.cluster import Rule, SourcePermission
from scale_app.domain.cluster_rights import GATEWAY, METRICS, SOURCES, Need
from scale_app.domain.errors import ClusterForbidden

NOT_EVERYWHERE = (GATEWAY, METRICS)
"""API groups that a cluster has only when somebody installed them."""
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def rows(cluster: Cluster, namespace: str) -> tuple[SourcePermission, ...]:
    """A row for each of SOURCES, for one namespace or "*" for all. Raises ClusterUnavailable."""
    asked = list(dict.fromkeys((need.cluster_wide, rule) for need in SOURCES for rule in need.rules))
    answers = await asyncio.gather(*(_may(cluster, rule, "*" if wide else namespace) for wide, rule in asked))
    groups = dict(
        zip(NOT_EVERYWHERE, await asyncio.gather(*(serves(cluster, group) for group in NOT_EVERYWHERE)), strict=True)
    )
    allowed = dict(zip(asked, answers, strict=True))
    return tuple(
        _row(need, {rule: allowed[need.cluster_wide, rule] for rule in need.rules}, _unserved(need, groups))
        for need in SOURCES
    )


async def serves(cluster: Cluster, group: str) -> bool:
    """True unless the cluster has no such API group. Raises ClusterUnavailable."""
    try:
        await cluster.get(f"/apis/{group}")
    except NotThere:
        return False
    except ClusterForbidden:  # a right to use it says nothing about the right to ask for it
        return True
    return True


def _unserved(need: Need, groups: dict[str, bool]) -> str:
    """The API group that the thing needs and the cluster has not, "" for none."""
    return next((rule.api_group for rule in need.rules if not groups.get(rule.api_group, True)), "")


async def _may(cluster: Cluster, rule: Rule, namespace: str) -> bool | None:
    """None when the cluster says neither yes nor no, because an authorizer of it failed."""
    resource, _, subresource = rule.resource.partition("/")
    attributes = {
        "verb": rule.verb,
        "group": rule.api_group,
        "resource": resource,
        **({"subresource": subresource} if subresource else {}),
        **({} if namespace == "*" else {"namespace": namespace}),
    }
    answer = await cluster.post(
        REVIEWS,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    if at(answer, "status", "allowed") is True:
        return True
    return None if at(answer, "status", "evaluationError") else False


def _row(need: Need, allowed: dict[Rule, bool | None], unserved: str) -> SourcePermission:
    missing = tuple(rule for rule, answer in allowed.items() if answer is False)
    unsure = any(answer is None for answer in allowed.values())
    if missing:
        rules = " and ".join(str(rule) for rule in missing)
        sentence = f"Not allowed: the account lacks {rules}. Grant it in a Role, or do without: {need.used_for}."
    elif unsure:
        sentence = f"The cluster could not say whether this is allowed: {need.used_for}."
    elif unserved:
        sentence = f"Allowed, but this cluster has no {unserved}, so there is nothing to read: {need.used_for}."
    else:
        sentence = f"Works: {need.used_for}."
    return SourcePermission(
        need.source, need.used_for, need.rules, None if unsure and not missing else not missing, missing, sentence
    )
