"""A plan from the command line: a file, flags in place of its fields, or both. `LoadPlan` checks it, as everywhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from scale_app.codec import plan_from_wire, to_wire
from scale_app.codec.plan_text import plan_from_text, value_from_text
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan

Command = TypeVar("Command", bound=Callable[..., Any])

FLAGS = {
    "target": ("target_url", 'A URL, "demo", or "simulated".'),
    "users": ("users", "Concurrent users."),
    "spawn-rate": ("spawn_rate", "Users started a second."),
    "duration": ("duration_s", "Seconds, spawning included."),
    "until": ("until", 'When it ends: "duration", or as soon as it is "decided", at most after the duration.'),
    "requests-per-connection": ("requests_per_connection", 'A new connection after so many; "null" for keep-alive.'),
    "warm-up": ("warm_up_s", "Seconds that are not judged."),
    "think-time": ("think_time_s", "Seconds between an answer and the next request."),
    "timeout": ("timeout_s", "Seconds for one request."),
    "pod-header": ("pod_header", "Response header in which a pod gives its name."),
    "arrivals": ("arrivals_per_s", "Requests a second, however slow the answers are."),
    "method": ("method", "HTTP method."),
    "body": ("body", "What each request sends."),
    "service": ("service", "Kubernetes Service, namespace/name."),
    "baseline": ("gate.baseline", "Name of the run that this one may not be worse than."),
}
"""Flag: the plan's field, what it is. `--set FIELD=VALUE` reaches every other one."""


def plan_options(command: Command) -> Command:
    """The argument and the flags that `plan_of` reads."""
    for flag, (_, about) in reversed(FLAGS.items()):
        command = click.option(f"--{flag}", metavar="VALUE", help=about)(command)
    command = click.option(
        "--header", "headers", multiple=True, metavar="NAME:VALUE", help="Header of each request; may be repeated."
    )(command)
    command = click.option(
        "--set", "settings", multiple=True, metavar="FIELD=VALUE",
        help="Any field of the plan, as in a file: pattern.kind=ramp, gate.score.fail=0.95.",
    )(command)  # fmt: skip
    return click.argument("plan_file", metavar="[PLAN]", required=False)(command)


def plan_of(
    plan_file: str | None, settings: tuple[str, ...], headers: tuple[str, ...], **flags: str | None
) -> LoadPlan:
    """The file's plan with the flags in place of its fields. Raises PlanError."""
    plan = read_plan(plan_file) if plan_file else LoadPlan()
    document: dict[str, Any] = to_wire(plan)
    for flag, (field, _) in FLAGS.items():
        if (text := flags.get(flag.replace("-", "_"))) is not None:
            _put(document, field, text if field in _TEXTS else value_from_text(text))
    for line in headers:
        name, colon, value = line.partition(":")
        if not colon:
            raise PlanError("--header", line, "a header is NAME:VALUE")
        document["headers"][name.strip()] = value.strip()
    for line in settings:
        field, equals, text = line.partition("=")
        if not equals:
            raise PlanError("--set", line, "a field is set by FIELD=VALUE")
        _put(document, field.strip(), value_from_text(text))
    return plan_from_wire(LoadPlan, document)


def read_plan(name: str) -> LoadPlan:
    """The plan in a file; "-" for standard input. Raises PlanError."""
    try:
        text = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PlanError("plan file", os.fspath(name), f"it cannot be read ({reason})") from None
    return plan_from_text(text)


_TEXTS = frozenset({"target_url", "until", "pod_header", "method", "body", "service", "gate.baseline"})


def _put(document: dict[str, Any], field: str, value: object) -> None:
    *way, last = field.split(".")
    inside = document
    for name in way:
        inner = inside.setdefault(name, {})
        if not isinstance(inner, dict):
            raise PlanError(field, value, "there is no such field")
        inside = inner
    inside[last] = value
