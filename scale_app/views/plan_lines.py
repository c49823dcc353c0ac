"""A plan, figure by figure, as people read it."""

from __future__ import annotations

from scale_app.domain.plan import LoadPlan
from scale_app.views import format as shown
from scale_app.views.view import PlanLine
from scale_app.views.words import ALERT_RULES, UNTIL, connection_text


def plan_lines(plan: LoadPlan, known: bool = True) -> list[PlanLine]:
    """A plan, figure by figure. known: False when no more of it is than its target, users and duration."""
    target, users = PlanLine("Target", plan.target_url), PlanLine("Users", shown.count(plan.users))
    if not known:
        return [target, users, PlanLine("Duration", shown.span(plan.duration_s))]
    return [
        target,
        users,
        PlanLine("Spawn rate", f"{shown.plain(plan.spawn_rate)} users/s"),
        PlanLine("Duration", shown.span(plan.duration_s)),
        PlanLine("Ends", UNTIL[plan.until][0]),
        PlanLine("Connections", connection_text(plan.requests_per_connection)),
        PlanLine("Think time", shown.milliseconds(plan.think_time_s * 1_000)),
        PlanLine("Warm-up", shown.span(plan.warm_up_s)),
        PlanLine("Timeout", shown.span(plan.timeout_s)),
        PlanLine("Pod header", plan.pod_header),
        PlanLine("Alert on", ALERT_RULES[plan.alert_rule][0]),
        *_limit_lines(plan),
    ]


def _limit_lines(plan: LoadPlan) -> list[PlanLine]:
    lines = (
        ("Largest pod share", plan.max_pod_share, shown.percent(plan.max_pod_share)),
        ("Highest p95", plan.max_p95_ms, shown.milliseconds(plan.max_p95_ms)),
        ("Largest failed share", plan.max_failure_share, shown.percent(plan.max_failure_share, 2)),
    )
    return [PlanLine(label, text) for label, limit, text in lines if limit is not None]
