"""Domain objects as text and back: JSON for wire, pipe and store; YAML or JSON for plans in files."""

from scale_app.codec.docstrings import meanings_of
from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.codec.schema import plan_schema
from scale_app.codec.wire import (
    Direction,
    from_json,
    from_wire,
    plan_from_wire,
    query_from_wire,
    schemas,
    to_json,
    to_wire,
)

__all__ = [
    "Direction",
    "from_json",
    "from_wire",
    "meanings_of",
    "plan_from_text",
    "plan_from_wire",
    "plan_schema",
    "plan_to_text",
    "query_from_wire",
    "schemas",
    "to_json",
    "to_wire",
]
