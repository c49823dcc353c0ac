"""A run as a file, and against the thresholds of its plan."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.responses import Response

from scale_app.api.download import Download, Places
from scale_app.api.operation import NO_STORE, Asked, Operation
from scale_app.api.v1.runs import RUN
from scale_app.domain.errors import RunNotFound, TooManyExports
from scale_app.domain.gating import GateResult
from scale_app.reports import FORMATS
from scale_app.reports.formats import FormatName, file_name, written
from scale_app.reports.run_json import RunFile
from scale_app.service.runs import Runs

# A report holds names and texts that a target made up; whatever they say, a browser runs nothing of it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
KINDS = ", ".join(f'"{form.name}" {form.about}' for form in FORMATS.values())


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """format: which kind of file."""

    format: FormatName = "json"


def report_operations(hub: Runs) -> list[Operation]:
    """/api/v1/runs/{run_id}/export and /gate."""
    reports = _Reports(hub)
    media = tuple(dict.fromkeys(_bare(form.media_type) for form in FORMATS.values() if form.name != "json"))
    return [
        Operation(
            "GET", f"{RUN}/export", "exportRun", "Reports", "A run as a file", reports.export, RunFile,
            query=ExportQuery, media=media, errors=(RunNotFound, TooManyExports),
            does=f"Kinds: {KINDS}. Given as an attachment under the run's name. Two files are made at once.",
        ),
        Operation(
            "GET", f"{RUN}/gate", "getGate", "Reports", "The run against its plan's thresholds", reports.gate,
            GateResult, errors=(RunNotFound,), does="So far, while it runs.",
        ),
    ]  # fmt: skip


class _Reports:
    def __init__(self, hub: Runs) -> None:
        self._hub = hub
        self._places = Places()

    async def export(self, asked: Asked) -> Response:
        form = FORMATS[asked.query.format]
        await self._hub.run(asked.run_id)  # refused while it still can be: the answer begins before all is read
        pieces = written(asked.run_id, form.name, self._hub.whole, self._hub.recorded)
        headers = {
            "Content-Disposition": f'attachment; filename="{file_name(asked.run_id, form.name)}"',
            "Content-Security-Policy": POLICY,
            "Content-Type": form.media_type,
        }
        await self._places.take()
        return Download(pieces, {**NO_STORE, **headers}, f"The {form.name} of run {asked.run_id}", self._places.free)

    async def gate(self, asked: Asked) -> GateResult:
        return await self._hub.gate(asked.run_id)


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0]
