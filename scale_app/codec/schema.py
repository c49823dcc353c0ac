"""What a type's docstring says of each field, for every schema and reference; and the JSON schema of a plan file.

Why the fields are not described one by one, as pydantic can read it: docs/decisions/0018-docstrings-describe-fields.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from scale_app.domain.plan import LoadPlan

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """A JSON schema by which editors complete and check plan files."""
    schema = TypeAdapter(LoadPlan).json_schema()
    parts = {name: described(part) for name, part in schema.pop("$defs", {}).items()}
    return {"$schema": DIALECT, **described(schema), "title": "Plan of a load test by Scale", "$defs": parts}


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """A type's JSON schema with each field's meaning at the field, taken from the docstring in JSON's words.

    Fields that are not named are refused.
    """
    schema = {name: value for name, value in schema.items() if name != "title"}
    if "properties" not in schema:
        return schema
    text = re.sub(r"\s+Raises [^.]+\.$", "", schema.get("description", "").replace("None", "null"))
    whole, meanings = meanings_of(text, list(schema["properties"]))
    fields = {name: _described_field(field, meanings.get(name, "")) for name, field in schema["properties"].items()}
    return {**schema, "properties": fields, "additionalProperties": False, "description": whole}


def _described_field(schema: dict[str, Any], meaning: str) -> dict[str, Any]:
    bare = {name: value for name, value in schema.items() if name != "title"}
    return {**bare, "description": meaning} if meaning else bare


def meanings_of(docstring: str, fields: Sequence[str]) -> tuple[str, dict[str, str]]:
    """A docstring's own text, and what it says of each field.

    A field's part begins with its name, or several with commas between, or a common beginning with a star ("recent_*"),
    and a colon; it ends where the next part or paragraph begins.
    """
    own, meanings = [], {}
    for paragraph in docstring.split("\n\n"):
        before, parts = _parts(" ".join(paragraph.split()), fields)
        if before:
            own.append(before)
        for names, meaning in parts:
            meanings.update(dict.fromkeys(names, meaning))
    return "\n\n".join(own), meanings


def _parts(paragraph: str, fields: Sequence[str]) -> tuple[str, list[tuple[list[str], str]]]:
    marks = []
    for match in re.finditer(r"(?:^|(?<=\s))(\w+\*?(?:, \w+\*?)*): ", paragraph):
        names = [field for pattern in match[1].split(", ") for field in fields if _is(pattern, field)]
        if names:
            marks.append((match, names))
    if not marks:
        return paragraph.strip(), []
    ends = [*(match.start() for match, _ in marks[1:]), len(paragraph)]
    meanings = [paragraph[match.end() : end].strip(" ;") for (match, _), end in zip(marks, ends, strict=True)]
    return paragraph[: marks[0][0].start()].strip(), [
        (names, meaning) for (_, names), meaning in zip(marks, meanings, strict=True)
    ]


def _is(pattern: str, field: str) -> bool:
    return field.startswith(pattern[:-1]) if pattern.endswith("*") else field == pattern
