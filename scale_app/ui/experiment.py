"""The deciding experiment: the button that runs it, and what it decided."""

from __future__ import annotations

import reflex as rx

from scale_app.ui import controls
from scale_app.ui.intent import Intent
from scale_app.ui.meant import Handler, Part
from scale_app.ui.state import Follower


def experiment_panel(follow_by_address: bool = False) -> Part:
    """What the shown run decided, or which second run would decide it. follow_by_address: on a run's own page."""
    return rx.fragment(_conclusion(), _offer(follow_by_address))


def _conclusion() -> Part:
    sequel = Follower.sequel
    return rx.cond(
        sequel.first_id != "",
        rx.el.section(
            rx.el.h2(rx.cond(sequel.conclusion != "", "What the experiment decided", "The deciding experiment")),
            rx.cond(sequel.conclusion != "", rx.el.p(sequel.conclusion, data_testid="conclusion")),
            rx.cond(sequel.sentence != "", rx.el.p(sequel.sentence, class_name="quiet")),
            rx.el.p(
                rx.link("See the first run", href="/runs/" + sequel.first_id, data_testid="first-run"),
                rx.cond(
                    sequel.conclusion != "",
                    rx.link("Compare the two", href=sequel.compare_href, data_testid="to-compare"),
                ),
                class_name="links",
            ),
            class_name="card stack",
            aria_label="Experiment",
        ),
    )


def _offer(follow_by_address: bool) -> Part:
    run: Handler = Intent.experiment
    return rx.cond(
        Follower.sequel.reason != "",
        rx.el.section(
            rx.el.div(
                rx.el.h2("What would decide it"),
                rx.el.p(Follower.sequel.reason, data_testid="experiment-reason"),
                class_name="stack",
            ),
            controls.button(
                rx.cond(Intent.starting, "Starting…", "Run the deciding experiment"),
                run(Follower.view.run_id, follow_by_address),
                "experiment",
                icon="flask-conical",
                disabled=Intent.starting,
            ),
            class_name="card offer",
            aria_label="What would decide it",
        ),
    )
