"""Domain objects as text and back: JSON for wire, pipe and store; YAML or JSON for plans in files."""

from scale_app.codec.plan_text import plan_from_text, plan_to_text
from scale_app.codec.schema import plan_schema
from scale_app.codec.wire import from_json, plan_from_wire, to_json, to_wire

__all__ = ["from_json", "plan_from_text", "plan_from_wire", "plan_schema", "plan_to_text", "to_json", "to_wire"]
