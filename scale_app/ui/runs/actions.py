"""What is done with runs wherever they are shown: run again, marked as a baseline, deleted.

The last two are asked for by dialogs.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app import wiring
from scale_app.domain.errors import ScaleError
from scale_app.domain.record import check_name
from scale_app.ui import controls
from scale_app.ui.dialogs import close, closes, dialog
from scale_app.ui.display import local_time, problem, refusal
from scale_app.ui.reflex_compat import Handler, Part
from scale_app.views.presenting import RunListRow


class RunAgain(rx.State):
    """What every page that shows a run can do with its plan."""

    @rx.event
    async def rerun(self, run_id: str) -> Any:
        """Begin a run with the same plan, and go to it."""
        try:
            return rx.redirect(f"/runs/{await wiring.hub().rerun(run_id)}")
        except ScaleError as error:
            return refusal(error)


async def delete_run(run_id: str, *then: Any) -> list[Any]:
    """Delete a run; what the page does next. then: only if it was deleted."""
    try:
        await wiring.hub().delete(run_id)
    except ScaleError as error:
        return [refusal(error)]
    return [rx.toast.success("The run was deleted."), *then]


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


DELETE_DIALOG = "delete-dialog"
BASELINE_DIALOG = "baseline-dialog"


def delete_dialog(asked: RunListRow, delete: Handler) -> Part:
    """Deleting cannot be undone, so it is asked once more, with what the run was.

    asked: the run that the dialog names, and the only one that `delete` is called for.
    """
    delete_it = controls.button(
        "Delete",
        delete(asked.run_id),
        "confirm-delete",
        look="danger",
        disabled=asked.run_id == "",
        custom_attrs=closes(DELETE_DIALOG),
    )
    told = "This deletes its figures, events and link for everybody. It cannot be undone."
    return _about(DELETE_DIALOG, "Delete this run?", asked, rx.el.p(told), buttons=[delete_it])


def baseline_dialog(asked: RunListRow, marking: Any) -> Part:
    """A baseline has a name, so that a script can ask for it whichever run it is. marking: a BaselineMarking."""
    # The typed name is the server's by then: leaving the entry told it, and events keep their order.
    mark, unmark = marking.mark(asked.run_id), marking.unmark(asked.run_id)
    wrong = marking.baseline_problem
    note = "Later runs can be compared with it. If another run has this name, the name moves to this run."
    removes = controls.button("Remove baseline", unmark, "unmark", custom_attrs=closes(BASELINE_DIALOG))
    return _about(
        BASELINE_DIALOG,
        "Use this run as a baseline",
        asked,
        rx.el.label("Baseline name", html_for="baseline-name"),
        controls.entry(
            rx.el.input,
            "baseline-name",
            marking.baseline_name,
            marking.type_baseline,
            wrong=wrong != "",
            about="baseline-problem",
            on_key_down=controls.on_enter(mark),
            auto_complete="off",
            class_name="input",
        ),
        rx.el.div(
            problem(wrong, "baseline-problem", id="baseline-problem"),
            rx.cond(wrong == "", rx.el.p(note, class_name="note")),
            class_name="answer",
        ),
        buttons=[
            rx.cond(asked.baseline != "", removes),
            controls.button("Set as baseline", mark, "confirm-mark", look="primary", disabled=asked.run_id == ""),
        ],
    )


def _about(name: str, title: str, asked: RunListRow, *inside: Part, buttons: list[Part]) -> Part:
    """A dialog that says which run it is about."""
    which = rx.fragment(
        local_time(asked.created_at_epoch_s), ", ", rx.el.span(asked.target, class_name="mono"), ", ", asked.plan
    )
    told = rx.el.p(rx.cond(asked.run_id != "", which, "…"), class_name="which")
    return dialog(name, title, told, *inside, buttons=buttons)
