"""A plan as a file: YAML, or JSON, which is YAML too. Read with bounds, since files come from anywhere.

Values are read as in JSON and YAML 1.2: `on` is text, 1e3 a number, 012 is twelve, a date is text. Aliases, a key given
twice, tags and deep nesting are refused: no plan needs them, and they are how a small text becomes a large one or says
two things at once. `LoadPlan`'s constructor checks the rest.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import fields
from typing import Any

import yaml

from scale_app.codec import plan_from_wire, to_wire
from scale_app.domain.errors import PlanError
from scale_app.domain.plan import LoadPlan

MOST_BYTES = 2 * 2**20
MOST_DEPTH = 8
MOST_NODES = 35_000
"""A replayed pattern of as many points as a plan may have needs 30,000."""
ALWAYS_WRITTEN = ("target_url", "users", "spawn_rate", "duration_s", "requests_per_connection")

NULL, BOOL, INT, FLOAT = (f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float"))
NUMBER = re.compile(r"[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?")


def plan_from_text(text: str | bytes) -> LoadPlan:
    """The plan in a YAML or JSON text. Fields that are not given have LoadPlan's defaults. Raises PlanError."""
    size = len(text)
    if size > MOST_BYTES:
        raise PlanError("file", f"{size:,} bytes", f"a plan has at most {MOST_BYTES:,} bytes")
    document = _document(text)
    if not isinstance(document, dict):
        raise PlanError("file", document, "a plan is a list of fields such as `users: 100`")
    return plan_from_wire(LoadPlan, document)


def plan_to_text(plan: LoadPlan) -> str:
    """The plan as YAML that reads back as the same plan: what says how much load, and all that is not the default."""
    default = LoadPlan()
    wire = to_wire(plan)
    kept = {
        field.name: wire[field.name]
        for field in fields(LoadPlan)
        if field.name in ALWAYS_WRITTEN or getattr(plan, field.name) != getattr(default, field.name)
    }
    text: str = yaml.dump(kept, Dumper=_PlainDumper, sort_keys=False, width=10_000)
    return text


class _PlainLoader(yaml.SafeLoader):
    """YAML without what a plan does not need. Times and dates stay text, as in JSON."""

    def __init__(self, text: str | bytes) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise self._refused("an alias (*name) is not accepted")
        self._depth += 1
        self._nodes += 1
        if self._depth > MOST_DEPTH or self._nodes > MOST_NODES:
            raise self._refused("it is nested too deeply or has too many parts")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refused(self, problem: str) -> yaml.MarkedYAMLError:
        here = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        return yaml.MarkedYAMLError(problem=problem, problem_mark=here)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for name in (key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if name in seen:
                raise yaml.MarkedYAMLError(problem=f"{name!r} is given twice", problem_mark=node.start_mark)
            seen.add(name)
        return super().construct_mapping(node, deep)

    def construct_whole(self, node: yaml.ScalarNode) -> int:
        return int(self.construct_scalar(node))

    def construct_number(self, node: yaml.ScalarNode) -> float:
        return float(self.construct_scalar(node))


class _PlainDumper(yaml.SafeDumper):
    """Quotes every text that `_PlainLoader` would take for something else."""


_PlainLoader.yaml_implicit_resolvers = {}
_PlainLoader.add_implicit_resolver(NULL, re.compile(r"(~|null|)$"), ["~", "n", ""])
_PlainLoader.add_implicit_resolver(BOOL, re.compile(r"(true|false)$"), ["t", "f"])
_PlainLoader.add_implicit_resolver(INT, re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))
for kind in (_PlainLoader, _PlainDumper):
    kind.add_implicit_resolver(FLOAT, re.compile(rf"{NUMBER.pattern}$"), list("-+0123456789"))
_PlainLoader.add_constructor(INT, _PlainLoader.construct_whole)
_PlainLoader.add_constructor(FLOAT, _PlainLoader.construct_number)


def _document(text: str | bytes) -> object:
    try:
        return yaml.load(text, _PlainLoader)
    except yaml.MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise PlanError("file", "(its text)", f"it is neither YAML nor JSON{where}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is nested too deeply"
        raise PlanError("file", "(its text)", f"it is neither YAML nor JSON: {reason}") from None


def value_from_text(text: str) -> object:
    """One value as in a plan file: 3, 0.5, true, null, [uneven], or text. Raises PlanError."""
    return _document(text)
