"""The table of report formats: how each is called, what it holds, what it is on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from scale_app.domain.recording import WholeRun
from scale_app.reports.csv_tables import pods_csv, seconds_csv
from scale_app.reports.junit import junit
from scale_app.reports.markdown import markdown
from scale_app.reports.page import page
from scale_app.reports.run_json import run_to_json

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
    """What to save the file as."""
    return f"scale-{run_id[:8]}.{FORMATS[name].ending}"
