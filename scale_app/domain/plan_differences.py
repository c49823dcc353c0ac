"""Two plans side by side: the fields that differ, as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from scale_app.domain.gate import Gate, Levels, VerdictLevels
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan

NOT_SET = "none"
MOST_PARTS = 20
"""Of one value, as text: a replayed pattern has thousands of points."""


@dataclass(frozen=True, slots=True)
class PlanDifference:
    """A field of the plan that differs, as text; "none" where it is not set."""

    field: str
    first: str
    second: str


def plan_differences(first: LoadPlan, second: LoadPlan) -> tuple[PlanDifference, ...]:
    """The fields that differ, in the plan's order."""
    pairs = ((field.name, getattr(first, field.name), getattr(second, field.name)) for field in fields(LoadPlan))
    return tuple(PlanDifference(name, as_text(one), as_text(two)) for name, one, two in pairs if one != two)


def as_text(value: object) -> str:
    """As a plan's file says it; of what has several parts those that are set."""
    if isinstance(value, (Gate, VerdictLevels, Levels, Pattern)):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        return _listed([_part(name, part) for name, part in value.items() if as_text(part) != NOT_SET])
    if isinstance(value, tuple):
        return _listed([as_text(part) for part in value])
    if isinstance(value, bool):
        return str(value).lower()
    return NOT_SET if value is None or value == "" else f"{value:.10g}" if isinstance(value, float) else str(value)


def _part(name: str, value: object) -> str:
    return f"{name} ({as_text(value)})" if isinstance(value, (VerdictLevels, Levels)) else f"{name}: {as_text(value)}"


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - MOST_PARTS
    return ", ".join([*parts[:MOST_PARTS], *([f"{more:,} more"] if more > 0 else [])]) or NOT_SET
