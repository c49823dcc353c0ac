"""What the page of one run knows beside its figures: when it was, its plan as text, its baselines; and what it does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import RunFilter, outline_of
from scale_app.ui.page_text import text_of
from scale_app.ui.run_actions import BaselineMarking, refusal, run_again
from scale_app.ui.state import run_of_path
from scale_app.views.run_list import NO_ROW, RunRow, run_row

MOST_BASELINES = 5


class OneRun(BaselineMarking, rx.State):
    """The run of this tab's address. baselines: other runs of the same target that are marked as one."""

    row: RunRow = NO_ROW
    plan_text: str = ""
    baselines: rx.Field[list[RunRow]] = rx.field(default_factory=list)

    @rx.event
    async def load(self) -> None:
        """Look the run up. That it is unknown is told by the page's figures, which are asked for as well."""
        self.row, self.plan_text, self.baselines = NO_ROW, "", []
        try:
            await self._look_again()
        except ScaleError:
            return

    @rx.event
    async def rerun(self) -> Any:
        """Begin a run with the same plan, and go to it."""
        return await run_again(self.row.run_id)

    @rx.event
    async def delete(self, run_id: str) -> AsyncIterator[Any]:
        """Forget the run; there is nothing left to see here then."""
        try:
            await wiring.hub().delete(run_id)
        except ScaleError as error:
            yield refusal(error)
        else:
            yield rx.toast.success("The run was deleted.")
            yield rx.redirect("/runs")

    async def _look_again(self) -> None:
        hub = wiring.hub()
        record = await hub.run(run_of_path(self.router.url.path))
        self.row = run_row(outline_of(record))
        self.plan_text = await text_of(record.plan) if record.plan_known else ""
        # Before the dialog opens: a name that comes a moment later would take the place of what is typed by then.
        self._ask_name(self.row.baseline_hint)
        # Last, since a run in memory is shown also while the database does not answer.
        marked = await hub.runs(MOST_BASELINES + 1, 0, RunFilter(target=record.plan.target_url, marked=True))
        self.baselines = [run_row(other) for other in marked if other.run_id != record.run_id][:MOST_BASELINES]
