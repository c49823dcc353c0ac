"""A plan as the form's texts, as the text that a tab keeps, and as stops of its sliders; and back.

It judges nothing: what is no number goes to LoadPlan as it was typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any

from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import SHAPES, Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.domain.weights import each_once
from scale_app.views import format as shown
from scale_app.views.plan_fields import FIELDS, PLAN_FIELDS, PlanField

Texts = dict[str, str]
DEFAULT = LoadPlan()
DEFAULT_EVERY = DEFAULT.requests_per_connection or 1
DEFAULT_ARRIVALS_PER_S = 200.0
IN_FORM = frozenset(field.name for field in PLAN_FIELDS if field.word)
"""The plan's fields that the form shows; the others stay as they came with a saved or pasted plan."""
_OF_PLAN = {name: getattr(DEFAULT, name) for name in FIELDS if name in IN_FORM and "." not in name}
_AS_TYPED = tuple(name for name, default in _OF_PLAN.items() if isinstance(default, str))
_NUMBERS = tuple(name for name in _OF_PLAN if FIELDS[name].control == "number")
_OF_PATTERN = tuple(name for name in FIELDS if name.startswith("pattern.") and FIELDS[name].control == "number")
_BLANKS_COUNT = ("body", "ca_pem")


def texts_of(plan: LoadPlan) -> Texts:
    """Every text of the form for a plan, by the fields' keys."""
    return {
        **{FIELDS[name].key: _text(FIELDS[name], plan) for name in (*_AS_TYPED, *_NUMBERS, *_OF_PATTERN)},
        "connections": {None: "keep", 1: "each"}.get(plan.requests_per_connection, "some"),
        "requests_per_connection": shown.plain(plan.requests_per_connection or DEFAULT_EVERY),
        "model": "closed" if plan.arrivals_per_s is None else "open",
        "arrivals_per_s": shown.plain(plan.arrivals_per_s or DEFAULT_ARRIVALS_PER_S),
        "headers": "\n".join(f"{name}: {value}" for name, value in plan.headers.items()),
        "weights": "\n".join(f"{name}: {shown.plain(weight)}" for name, weight in plan.weights.items()),
        "verify_tls": "verify" if plan.verify_tls else "any",
        "pattern": plan.pattern.kind,
        "pattern_points": "\n".join(
            f"{shown.plain(at_s)} {shown.plain(share * 100)}" for at_s, share in plan.pattern.points
        ),
    }


def plan_of(texts: Mapping[str, str], base: LoadPlan = DEFAULT) -> LoadPlan:
    """The plan that the texts describe; what the form does not show is base's. Raises PlanError."""
    every, arrivals_per_s = texts["requests_per_connection"], texts["arrivals_per_s"]
    given: dict[str, Any] = {
        **{name: texts[name] if name in _BLANKS_COUNT else texts[name].strip() for name in _AS_TYPED},
        **{name: _number(FIELDS[name], texts[name]) for name in _NUMBERS},
        "requests_per_connection": {"keep": None, "each": 1}.get(texts["connections"], shown.number(every)),
        "arrivals_per_s": shown.number(arrivals_per_s) if texts["model"] == "open" else None,
        "headers": _named(texts["headers"]),
        "weights": _weights(texts["weights"]),
        "verify_tls": texts["verify_tls"] == "verify",
        "ca_pem": texts["ca_pem"].strip() and texts["ca_pem"],
        "pattern": _pattern(texts, base.pattern),
    }
    if given["counting"] not in ("json", "auto"):
        given["json_field"] = base.json_field
    return replace(base, **given)


def _text(field: PlanField, plan: LoadPlan) -> str:
    value = attrgetter(field.name)(plan)
    if isinstance(value, str):
        return value
    return "" if value is None else shown.plain(value * field.per_unit)


def _number(field: PlanField, text: str) -> float | str | None:
    """In the plan's own unit; as it was typed when it is no number; None for nothing where a plan may say nothing."""
    if not text.strip() and _OF_PLAN.get(field.name, 0) is None:
        return None
    value = shown.number(text)
    return value if isinstance(value, str) or field.per_unit == 1 else value / field.per_unit


def _pattern(texts: Mapping[str, str], base: Pattern) -> Pattern:
    """Only what the chosen kind needs is read, so that a text that is not shown cannot stand in the way."""
    kind: Any = texts["pattern"]
    given: dict[str, Any] = {"kind": kind, "points": ()}
    for name in SHAPES[kind].needs if kind in SHAPES else ():
        field = FIELDS[f"pattern.{name}"]
        given[name] = _points(texts[field.key]) if name == "points" else _number(field, texts[field.key])
    return replace(base, **given)


@lru_cache(maxsize=4)
def _points(text: str) -> tuple[tuple[Any, Any], ...]:
    """Lines of a second and a percentage; a line that is not so goes on as it is, for Pattern to name it."""
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines() if line.strip()]
    return tuple(
        (shown.number(row[0]), _share(row[1].rstrip("%"))) if len(row) == 2 else (" ".join(row), 0.0) for row in rows
    )


def _share(percent: str) -> float | str:
    value = shown.number(percent)
    return value if isinstance(value, str) else value / 100


def _named(text: str) -> dict[str, str]:
    """Lines of a name, a colon and a value; the last of one name wins."""
    return dict(_pairs(text))


def _pairs(text: str) -> list[tuple[str, str]]:
    parts = (line.partition(":") for line in text.splitlines() if line.strip())
    return [(name.strip(), value.strip()) for name, _, value in parts]


def _weights(text: str) -> dict[str, float | str]:
    pairs = _pairs(text)
    each_once(name for name, _ in pairs)
    return {name: shown.number(weight) for name, weight in pairs}


MOST_YAML = 16 * 1024
"""YAML is read at a megabyte a second; so much takes 20 ms."""
MOST_BASES = 64
_BASES: dict[str, LoadPlan] = {}
"""The plans that forms were filled from lately, by their text."""


async def yaml_of(plan: LoadPlan) -> str:
    """The plan as YAML, known by this text from now on. Of thousands of points it takes a second, beside the loop."""
    text = await asyncio.to_thread(plan_to_text, plan)
    _remember(text, plan)
    return text


def plan_of_yaml(text: str) -> LoadPlan:
    """The plan in this text, which the browser keeps. Raises PlanError.

    It is asked at each key that is pressed. One too long to be read by the way is known only if it was loaded here.
    """
    if text not in _BASES:
        check_yaml(text, "base")
        _remember(text, plan_from_text(text))
    return _BASES[text]


def check_yaml(text: str, field: str) -> None:
    """Raise PlanError for a plan's text that would hold up every viewer while it is read."""
    if len(text) > MOST_YAML:
        accepted = (
            f"a plan pasted into the page has at most {MOST_YAML:,} characters; start longer ones with `scale run`"
        )
        raise PlanError(field, f"{len(text):,} characters", accepted)


def extras_of(text: str) -> str:
    """Names of what a plan's text sets and the form does not show."""
    written = [line.partition(":")[0] for line in text.splitlines() if line[:1].isalpha() and ":" in line]
    return ", ".join(name for name in written if name not in IN_FORM)


def _remember(text: str, plan: LoadPlan) -> None:
    _BASES.pop(text, None)
    _BASES[text] = plan
    for oldest in list(_BASES)[: len(_BASES) - MOST_BASES]:
        del _BASES[oldest]


MANTISSAS = (1, 1.5, 2, 3, 5, 7)
DURATIONS_S = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1_200, 1_800, 2_700, 3_600, 7_200, 14_400)


def stops(most: float) -> list[float]:
    """Whole stops of a slider from 1 to `most`, both included: 1, 2, 3, 5, 7 per power of ten, for a short slider."""
    found = [1.0]
    power = 1.0
    while power <= most:
        found += [m * power for m in MANTISSAS if 1 < m * power < most and (m * power).is_integer()]
        power *= 10
    return [*found, float(most)] if most > 1 else found


def duration_stops(most: float) -> list[float]:
    """Round lengths of time in seconds up to `most`, which is the last stop."""
    return [*(float(s) for s in DURATIONS_S if s < most), float(most)]


def nearest(all_stops: Sequence[float], value: float) -> int:
    """Index of the stop nearest to a value."""
    return min(range(len(all_stops)), key=lambda i: abs(all_stops[i] - value))
