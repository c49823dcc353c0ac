"""A plan as the form's texts, as the text that a tab keeps, and as stops of its sliders; and back.

It judges nothing: what is no number goes to LoadPlan as it was typed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.domain.errors import PlanError
from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan
from scale_app.views import format as shown

Texts = dict[str, str]
DEFAULT = LoadPlan()
DEFAULT_EVERY = DEFAULT.requests_per_connection or 1
DEFAULT_ARRIVALS_PER_S = 200.0
IN_FORM = frozenset(
    {
        *("target_url", "users", "spawn_rate", "duration_s", "requests_per_connection", "warm_up_s", "think_time_s"),
        *("timeout_s", "pod_header", "alert_rule", "max_pod_share", "max_p95_ms", "max_failure_share", "pattern"),
        *("arrivals_per_s", "arrivals", "method", "headers", "body", "verify_tls", "ca_pem", "service", "counting"),
        *("dns", "json_field", "until"),
    }
)
"""The plan's fields that the form shows; the others stay as they came with a saved or pasted plan."""


def texts_of(plan: LoadPlan) -> Texts:
    """Every text of the form for a plan."""
    return {
        "target": plan.target_url,
        "service": plan.service,
        "users": shown.plain(plan.users),
        "spawn_rate": shown.plain(plan.spawn_rate),
        "duration": shown.plain(plan.duration_s),
        "until": plan.until,
        "connections": {None: "keep", 1: "each"}.get(plan.requests_per_connection, "some"),
        "every": shown.plain(plan.requests_per_connection or DEFAULT_EVERY),
        "model": "closed" if plan.arrivals_per_s is None else "open",
        "arrivals_per_s": shown.plain(plan.arrivals_per_s or DEFAULT_ARRIVALS_PER_S),
        "arrivals": plan.arrivals,
        "think_ms": shown.plain(plan.think_time_s * 1_000),
        "timeout": shown.plain(plan.timeout_s),
        "pod_header": plan.pod_header,
        "counting": plan.counting,
        "warm_up": shown.plain(plan.warm_up_s),
        "alert_rule": plan.alert_rule,
        "pod_share": _hundredfold(plan.max_pod_share),
        "p95": "" if plan.max_p95_ms is None else shown.plain(plan.max_p95_ms),
        "failures": _hundredfold(plan.max_failure_share),
        "method": plan.method,
        "headers": "\n".join(f"{name}: {value}" for name, value in plan.headers.items()),
        "body": plan.body,
        "tls": "verify" if plan.verify_tls else "any",
        "ca_pem": plan.ca_pem,
        "dns": plan.dns,
        "json_field": plan.json_field,
        **_pattern_texts(plan.pattern),
    }


def plan_of(texts: Mapping[str, str], base: LoadPlan = DEFAULT) -> LoadPlan:
    """The plan that the texts describe; what the form does not show is base's. Raises PlanError."""
    number = shown.number
    given: dict[str, Any] = {
        "target_url": texts["target"].strip(),
        "service": texts["service"].strip(),
        "users": number(texts["users"]),
        "spawn_rate": number(texts["spawn_rate"]),
        "duration_s": number(texts["duration"]),
        "until": texts["until"],
        "requests_per_connection": {"keep": None, "each": 1}.get(texts["connections"], number(texts["every"])),
        "arrivals_per_s": number(texts["arrivals_per_s"]) if texts["model"] == "open" else None,
        "arrivals": texts["arrivals"],
        "think_time_s": _part(number(texts["think_ms"]), 1_000),
        "timeout_s": number(texts["timeout"]),
        "pod_header": texts["pod_header"].strip(),
        "counting": texts["counting"],
        "warm_up_s": number(texts["warm_up"]),
        "alert_rule": texts["alert_rule"],
        "max_pod_share": _limit(texts["pod_share"], 100),
        "max_p95_ms": _limit(texts["p95"]),
        "max_failure_share": _limit(texts["failures"], 100),
        "method": texts["method"],
        "headers": _headers(texts["headers"]),
        "body": texts["body"],
        "verify_tls": texts["tls"] == "verify",
        "ca_pem": texts["ca_pem"].strip() and texts["ca_pem"],
        "dns": texts["dns"],
        "json_field": texts["json_field"].strip() if texts["counting"] in ("json", "auto") else base.json_field,
        "pattern": _pattern(texts, base.pattern),
    }
    return replace(base, **given)


def _pattern_texts(pattern: Pattern) -> Texts:
    return {
        "pattern": pattern.kind,
        "low": shown.plain(pattern.low * 100),
        "period": shown.plain(pattern.period_s),
        "begins": shown.plain(pattern.begins_s),
        "steps": str(pattern.steps),
        "points": "\n".join(f"{shown.plain(at_s)} {shown.plain(share * 100)}" for at_s, share in pattern.points),
    }


def _pattern(texts: Mapping[str, str], base: Pattern) -> Pattern:
    """Only what the chosen kind needs is read, so that a text that is not shown cannot stand in the way."""
    kind, number = texts["pattern"], shown.number
    given: dict[str, Any] = {"kind": kind, "low": _part(number(texts["low"]), 100)}
    if kind == "constant":
        return replace(base, kind="constant", points=())
    if kind in ("ramp", "steps", "spike", "wave"):
        given["period_s"] = number(texts["period"])
    if kind == "steps":
        given["steps"] = number(texts["steps"])
    if kind == "spike":
        given["begins_s"] = number(texts["begins"])
    given["points"] = _points(texts["points"]) if kind == "replayed" else ()
    return replace(base, **given)


@lru_cache(maxsize=4)
def _points(text: str) -> tuple[tuple[Any, Any], ...]:
    """Lines of a second and a percentage; a line that is not so goes on as it is, for Pattern to name it."""
    rows = [line.replace(",", " ").replace(";", " ").split() for line in text.splitlines() if line.strip()]
    return tuple(
        (shown.number(row[0]), _part(shown.number(row[1].rstrip("%")), 100)) if len(row) == 2 else (" ".join(row), 0.0)
        for row in rows
    )


def _headers(text: str) -> dict[str, str]:
    """Lines of a name, a colon and a value; the last of one name wins."""
    parts = [line.partition(":") for line in text.splitlines() if line.strip()]
    return {name.strip(): value.strip() for name, _, value in parts}


def _part(value: int | float | str, per: int) -> float | str:
    return value if isinstance(value, str) else value / per


def _limit(text: str, per: int = 1) -> float | str | None:
    """A limit in units of 1/per; None when nothing was typed; as it is when it is no number."""
    value = shown.number(text)
    if isinstance(value, str):
        return value if value.strip() else None
    return value / per


def _hundredfold(share: float | None) -> str:
    return "" if share is None else shown.plain(share * 100)


MOST_PAGE_TEXT = 16 * 1024
"""YAML is read at a megabyte a second; so much takes 20 ms."""
MOST_BASES = 64
_BASES: dict[str, LoadPlan] = {}
"""The plans that forms were filled from lately, by their text."""


async def text_of(plan: LoadPlan) -> str:
    """The plan as YAML, known by this text from now on. Of thousands of points it takes a second, beside the loop."""
    text = await asyncio.to_thread(plan_to_text, plan)
    _remember(text, plan)
    return text


def base_of(text: str) -> LoadPlan:
    """The plan in this text, which the browser keeps. Raises PlanError.

    It is asked at each key that is pressed. One too long to be read by the way is known only if it was loaded here.
    """
    if text not in _BASES:
        check_page_text(text, "base")
        _remember(text, plan_from_text(text))
    return _BASES[text]


def check_page_text(text: str, field: str) -> None:
    """Raise PlanError for a plan's text that would hold up every viewer while it is read."""
    if len(text) > MOST_PAGE_TEXT:
        accepted = (
            f"a plan's text has at most {MOST_PAGE_TEXT:,} characters on the page; start longer ones by `scale run`"
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
