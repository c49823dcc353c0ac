"""A whole run as JSON, and back: what was measured (the recording), and what was said of it then.

Reading it again and judging the recording anew is `scale replay`. The form is that of the domain's types; the version,
`scale_run`, rises when a reader of an earlier one could be misled.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from scale_app.codec import from_json, to_json
from scale_app.domain.errors import BadRunFile
from scale_app.domain.gating import GateResult
from scale_app.domain.recording import WholeRun

VERSION: Literal[1] = 1
MOST_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class RunFile:
    """The file. run: everything that is known. gate: what its thresholds said, for readers other than Scale."""

    scale_run: Literal[1]
    run: WholeRun
    gate: GateResult


def run_to_json(whole: WholeRun) -> str:
    """One JSON object."""
    return to_json(RunFile(VERSION, whole, whole.gate)).decode()


def run_from_json(text: bytes | str) -> WholeRun:
    """The run in an exported file. Raises BadRunFile when it is none, or of a version that is not known here."""
    if len(text) > MOST_BYTES:
        raise BadRunFile(f"it has {len(text):,} bytes, more than any run")
    try:
        return from_json(RunFile, text).run
    except (ValueError, RecursionError):
        raise BadRunFile(_reason(text)) from None


def _reason(text: bytes | str) -> str:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return "it is not JSON"
    version = document.get("scale_run") if isinstance(document, dict) else None
    if version is None:
        return "it is not the JSON export of a run"
    if version != VERSION:
        return f"it is of version {str(version)[:20]}, and this version of Scale reads version {VERSION}"
    return "some of its parts are missing or of another form"
