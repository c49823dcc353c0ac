"""A whole run as JSON, and back: what was measured (the recording), and what was said of it then.

Reading it again and judging the recording anew is `scale replay`. The form is that of the domain's types; the version,
`scale_run`, rises when a reader of an earlier one could be misled.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from scale_app.codec import from_json, in_pieces, list_in_pieces, to_json
from scale_app.domain.errors import BadRunFile
from scale_app.domain.events import Event
from scale_app.domain.gating import GateResult
from scale_app.domain.recording import Recorded, WholeRun
from scale_app.domain.snapshot import Point

VERSION: Literal[1] = 1
MOST_BYTES = 2**30
BEGINNING = b'{"scale_run":%d,"run":{"record":' % VERSION
"""Of the file, whatever the run."""


@dataclass(frozen=True, slots=True)
class RunFile:
    """The file. run: everything that is known. gate: what its thresholds said, for readers other than Scale."""

    scale_run: Literal[1]
    run: WholeRun
    gate: GateResult


def run_to_json(whole: WholeRun) -> str:
    """One JSON object."""
    return to_json(RunFile(VERSION, whole, whole.gate)).decode()


def before_recording(whole: WholeRun) -> Iterator[bytes]:
    """What follows BEGINNING, in pieces of a moment each; what the run is judged by follows."""
    yield to_json(whole.record)
    yield b',"points":'
    yield from list_in_pieces(whole.points, tuple[Point, ...])
    yield b',"happened":'
    yield from list_in_pieces(whole.happened, tuple[Event, ...])
    yield b',"recording":['


def recorded(lines: Sequence[Recorded], first: bool) -> bytes:
    """Lines of the recording. first: none came before them."""
    return (b"" if first or not lines else b",") + b",".join(to_json(line, Recorded) for line in lines)


def after_recording(whole: WholeRun) -> Iterator[bytes]:
    """The rest of the file."""
    yield b'],"baseline":'
    yield b"null" if whole.baseline is None else to_json(whole.baseline)
    yield b',"pods":'
    yield from in_pieces(whole.pods)
    yield b'},"gate":'
    yield to_json(whole.gate)
    yield b"}"


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
