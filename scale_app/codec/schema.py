"""The JSON schema of a plan file, from the type that checks plans and from what its docstring says of each field."""

from __future__ import annotations

import inspect
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter

from scale_app.codec.docstrings import meanings_of
from scale_app.domain.plan import LoadPlan

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def plan_schema() -> dict[str, Any]:
    """A JSON schema by which editors complete and check plan files."""
    schema = _documented(TypeAdapter(LoadPlan).json_schema(), LoadPlan)
    parts = {name: {**part, "additionalProperties": False} for name, part in schema.pop("$defs", {}).items()}
    return {"$schema": DIALECT, **schema, "title": "Plan of a load test by Scale", "$defs": parts}


def field_texts(kind: type) -> dict[str, str]:
    """What the docstring of a dataclass says of its fields: {field: sentence}, in the order of the fields.

    None is written as in files: null.
    """
    names = [field.name for field in fields(kind)]
    _, told = meanings_of(inspect.cleandoc(kind.__doc__ or ""), names)
    return {name: _sentence(told[name]) for name in names if name in told}


def _documented(schema: dict[str, Any], kind: type) -> dict[str, Any]:
    texts = field_texts(kind)
    properties = {
        name: {**described, **({"description": texts[name]} if name in texts else {})}
        for name, described in schema["properties"].items()
    }
    summary = inspect.cleandoc(kind.__doc__ or "").split("\n")[0]
    return {**schema, "description": summary, "properties": properties, "additionalProperties": False}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].replace("None", "null")
