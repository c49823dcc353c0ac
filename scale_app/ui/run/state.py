"""What is done with runs wherever they are shown, and what the page of one run knows beside its figures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import RunFilter, check_name, outline_of
from scale_app.ui.elements.display import refusal
from scale_app.ui.plan.texts import yaml_of
from scale_app.ui.run.dialogs import BASELINE_DIALOG, close
from scale_app.ui.shown.state import run_of_path
from scale_app.views.run_list import NO_ROW, RunListRow, run_row

MOST_BASELINES = 5


class RunAgain(rx.State):
    """What every page that shows a run can do with its plan."""

    @rx.event
    async def rerun(self, run_id: str) -> Any:
        """Begin a run with the same plan, and go to it."""
        try:
            return rx.redirect(f"/runs/{await wiring.hub().rerun(run_id)}")
        except ScaleError as error:
            return refusal(error)


class BaselineMarking(rx.State, mixin=True):
    """What the baseline dialog does, on every page that has it. baseline_name: as typed; baseline_problem: with it."""

    baseline_name: str = ""
    baseline_problem: str = ""

    @rx.event
    def type_baseline(self, text: str) -> None:
        """An entry may tell the same text again after it was judged: that is no new name."""
        if text != self.baseline_name:
            self.baseline_name, self.baseline_problem = text, ""

    @rx.event
    async def mark(self, run_id: str) -> Any:
        """Mark a run as a baseline under the typed name, in place of the one that had it.

        The dialog stays open until that is done: a name that cannot be used is told where it was typed.
        """
        name = self.baseline_name.strip()
        try:
            check_name(name)
            await self._mark_as(run_id, name)
        except ScaleError as error:
            self.baseline_problem = str(error)
            return None
        return close(BASELINE_DIALOG)

    @rx.event
    async def unmark(self, run_id: str) -> Any:
        """The run is no baseline any more."""
        try:
            await self._mark_as(run_id, "")
        except ScaleError as error:
            return refusal(error)
        return None

    def _ask_name(self, hint: str) -> None:
        """What the dialog begins with. hint: a name."""
        self.baseline_name, self.baseline_problem = hint, ""

    async def _mark_as(self, run_id: str, name: str) -> None:
        await wiring.hub().mark_baseline(run_id, name)
        await self._look_again()

    async def _look_again(self) -> None:
        """Show what is now. Each page's own. May raise ScaleError."""
        raise NotImplementedError


class OneRunPage(BaselineMarking, rx.State):
    """The run of this tab's address. baselines: other runs of the same target that are marked as one."""

    row: RunListRow = NO_ROW
    plan_text: str = ""
    baselines: rx.Field[list[RunListRow]] = rx.field(default_factory=list)

    @rx.event
    async def load(self) -> None:
        """Look the run up. That it is unknown is told by the page's figures, which are asked for as well."""
        self.row, self.plan_text, self.baselines = NO_ROW, "", []
        try:
            await self._look_again()
        except ScaleError:
            return

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
        self.plan_text = await yaml_of(record.plan) if record.plan_known else ""
        # Before the dialog opens: a name that comes a moment later would take the place of what is typed by then.
        self._ask_name(self.row.baseline_hint)
        # Last, since a run in memory is shown also while the database does not answer.
        marked = await hub.runs(MOST_BASELINES + 1, 0, RunFilter(target=record.plan.target_url, marked=True))
        self.baselines = [run_row(other) for other in marked if other.run_id != record.run_id][:MOST_BASELINES]
