"""Domain objects as text and back: JSON for wire, pipe and store. Plans in files: plan_text.py."""

from scale_app.codec.wire import (
    Direction,
    from_json,
    from_wire,
    in_pieces,
    list_in_pieces,
    plan_from_wire,
    prepare,
    query_from_wire,
    schemas,
    to_json,
    to_wire,
)

__all__ = [
    "Direction",
    "from_json",
    "from_wire",
    "in_pieces",
    "list_in_pieces",
    "plan_from_wire",
    "prepare",
    "query_from_wire",
    "schemas",
    "to_json",
    "to_wire",
]
