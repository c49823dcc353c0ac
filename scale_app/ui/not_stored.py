"""What every page says while the database does not keep up: tests go on, and what they leave behind waits."""

from __future__ import annotations

import asyncio

import reflex as rx

from scale_app import wiring
from scale_app.ui.meant import Part

LOOK_EVERY_S = 1.0


class NotStored(rx.State):
    """problem: why what happens is not stored yet, "" when it is."""

    problem: str = ""

    @rx.event(background=True, supersedes=True)
    async def watch(self) -> None:
        """Runs for as long as the tab is open, whatever else the page follows: a run's end is no end of its storing."""
        told = None
        while True:
            problem = wiring.hub().storing.problem
            if problem != told:
                async with self:
                    self.problem = told = problem
            await asyncio.sleep(LOOK_EVERY_S)


def not_stored_notice() -> Part:
    """A line below the bar."""
    return rx.cond(
        NotStored.problem != "",
        rx.el.div(
            rx.icon("database", size=16, aria_hidden=True),
            rx.el.span(NotStored.problem),
            class_name="not-stored",
            role="status",
            data_testid="not-stored",
        ),
    )
