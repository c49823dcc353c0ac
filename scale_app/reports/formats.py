"""The table of report formats, those that need no layout (CSV, JSON), and writing one: as a whole, or in pieces while
the run is read. In pieces, neither all of a run is in memory nor anybody waits while it is written.

JSON is the whole run: what was measured (the recording), and what was said of it then. Reading it again and judging the
recording anew is `scale replay`. The form is that of the domain's types; the version, `scale_run`, rises when a reader
of an earlier one could be misled.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields
from typing import Literal

from scale_app.codec import from_json, in_pieces, list_in_pieces, to_json
from scale_app.domain.errors import BadRunFile
from scale_app.domain.events import Event
from scale_app.domain.gating import GateResult
from scale_app.domain.recording import Recorded, WholeRun
from scale_app.domain.snapshot import PodShare, Point
from scale_app.reports.page import page
from scale_app.reports.pipeline import junit, markdown

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff0b", "\uff0d", "\uff1d", "\uff20")
"""Beginnings that make a spreadsheet compute a text, also as East Asian keyboards write them. A name comes from an
answer, so it may begin so. Every text is in quotes, too, since some spreadsheets begin another cell at a ";"."""


def pods_csv(whole: WholeRun) -> str:
    """A row for each pod: the fields of PodShare."""
    last = whole.record.last
    return _table([field.name for field in fields(PodShare)], last.pods if last else ())


def seconds_csv(whole: WholeRun) -> str:
    """A row for each second: the fields of Point."""
    return _table([field.name for field in fields(Point)], whole.points)


def _table(names: Sequence[str], rows: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(names)
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return value


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


FormatName = Literal["json", "csv", "seconds", "junit", "markdown", "html"]


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of report. ending: of the file's name. needs_recording, needs_pods: what to ask `whole` for, too."""

    name: FormatName
    about: str
    ending: str
    media_type: str
    write: Callable[[WholeRun], str]
    needs_recording: bool = False
    needs_pods: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """One file. name: to save it under."""

    name: str
    media_type: str
    content: bytes


ABOUT_PAGE = "one page to look at offline, or to print"

FORMATS: dict[str, Format] = {
    form.name: form
    for form in (
        Format("json", "everything, to be replayed", "json", "application/json", run_to_json, needs_recording=True),
        Format("csv", "a row for each pod", "csv", "text/csv; charset=utf-8", pods_csv),
        Format("seconds", "a row for each second", "seconds.csv", "text/csv; charset=utf-8", seconds_csv),
        Format("junit", "a test case for each threshold", "junit.xml", "application/xml", junit),
        Format("markdown", "a summary for a pull request", "md", "text/markdown; charset=utf-8", markdown),
        Format("html", ABOUT_PAGE, "html", "text/html; charset=utf-8", page, needs_pods=True),
    )
}


def export(whole: WholeRun, name: FormatName) -> Export:
    """The run as a file. Give a run with what the format needs."""
    form = FORMATS[name]
    return Export(file_name(whole.record.run_id, name), form.media_type, form.write(whole).encode())


def file_name(run_id: str, name: FormatName) -> str:
    return f"scale-{run_id[:8]}.{FORMATS[name].ending}"


async def written(
    run_id: str,
    name: FormatName,
    read: Callable[..., Awaitable[WholeRun]],
    recorded_lines: Callable[[str], AsyncGenerator[list[Recorded], None]],
) -> AsyncGenerator[bytes, None]:
    """The same file as `export` makes. read, recorded_lines: see `RunQueries.whole` and `recorded`.

    The recording is read as the file is written. Each piece is made in a thread, and in a few milliseconds; what needs
    nothing of the run comes before it is read.
    """
    form = FORMATS[name]
    pods = form.needs_pods or form.needs_recording
    if not form.needs_recording:
        yield (await asyncio.to_thread(export, await read(run_id, pods=pods), name)).content
        return
    yield BEGINNING
    whole = await read(run_id, pods=pods)
    async for piece in _aside(before_recording(whole)):
        yield piece
    first = True
    async with aclosing(recorded_lines(run_id)) as reading:
        async for lines in reading:
            yield await asyncio.to_thread(recorded, lines, first)
            first = False
    async for piece in _aside(after_recording(whole)):
        yield piece


async def _aside(pieces: Iterator[bytes]) -> AsyncGenerator[bytes, None]:
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
