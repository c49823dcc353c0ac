"""What can be done with a run wherever it is shown, and how an action that was refused is told."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import check_name
from scale_app.ui import controls
from scale_app.ui.meant import Flag, Handler, Part
from scale_app.ui.run_dialogs import BASELINE_DIALOG, close

READ_MS = 10_000


def refusal(error: ScaleError) -> Any:
    """The error's sentence as a toast, for as long as it takes to read it."""
    return rx.toast.error(str(error), duration=READ_MS)


async def run_again(run_id: str) -> Any:
    """Begin a run with the same plan, and go to it."""
    try:
        return rx.redirect(f"/runs/{await wiring.hub().rerun(run_id)}")
    except ScaleError as error:
        return refusal(error)


def stop_button(stop: Handler, stopping: Flag) -> Part:
    """Also while a run is stopping: a load that does not end then is put down at the second asking."""
    return rx.fragment(
        controls.button(rx.cond(stopping, "Stop once more", "Stop"), stop, "stop", icon="square"),
        rx.cond(
            stopping,
            rx.el.p(
                "Stopping: requests in flight end first. If the run does not end, stop it once more.",
                class_name="note",
                role="status",
                data_testid="stopping",
            ),
        ),
    )


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
