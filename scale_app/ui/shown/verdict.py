"""The verdict: score, grade, a sentence, the score on a scale beside chance, and the headline figures.

Below it why: the causes that fit and what to change, the second run that would decide between them, and what it
decided.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.domain.balance import THRESHOLD
from scale_app.pictures.balance import RING
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed
from scale_app.ui.display import explained, info
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part, Text
from scale_app.ui.shown.charts import placed
from scale_app.ui.shown.state import Follower
from scale_app.views.charts import SCALE_TICKS, THRESHOLD_AT
from scale_app.views.view import CheckRow, FindingRow, HeadlineFigures, RunView


def verdict_card(view: RunView) -> Part:
    """Score, grade, the verdict as a sentence, the scale, what would decide, and the headline figures."""
    figures = view.figures
    sentence = rx.cond(figures.sentence != "", figures.sentence, "Waiting for the first answers from the pods.")
    decides = rx.el.span(figures.decides, class_name="decides", data_testid="decides")
    return rx.el.section(
        rx.el.div(
            _gauge(figures),
            rx.el.div(
                rx.el.div(
                    rx.el.h2("Balance", info("score")),
                    rx.el.span(figures.kind_text, class_name="badge", data_kind=figures.kind, data_testid="verdict"),
                    info("verdict"),
                    rx.cond(figures.decides != "", decides),
                    class_name="head-line",
                ),
                rx.el.p(sentence, class_name="sentence", data_testid="sentence"),
                _scale(figures),
                class_name="verdict-text",
            ),
            class_name="verdict",
        ),
        rx.el.dl(
            _figure("Requests", figures.requests, figures.requests_note, "requests", "requests"),
            _figure("Requests/s", figures.rate, figures.rate_note, "rate", "rate"),
            _figure("Spread (CV)", figures.cv, figures.cv_note, "cv", "cv"),
            _figure("Latency p95", figures.p95, figures.p95_note, "p95", "latency"),
            _figure("Failures", figures.failures, figures.failures_note, "failures", "failures"),
            class_name="figures",
        ),
        class_name="card verdict-card",
        aria_label="Balance",
        aria_busy=(view.state == "starting") | (view.state == "running") & ~view.has_data,
    )


def _gauge(figures: HeadlineFigures) -> Part:
    """The score as a half ring with the figure inside."""
    return rx.el.div(
        rx.el.svg(
            rx.el.path(d=RING, class_name="ring"),
            rx.el.path(d=figures.gauge, class_name="ring-score"),
            view_box="0 0 200 110",
            role="img",
            aria_label=figures.gauge_label,
            class_name="gauge-svg",
        ),
        rx.el.div(
            rx.el.div(figures.score, class_name="gauge-score", data_testid="score"),
            rx.el.div(
                rx.el.span(rx.cond(figures.grade != "", "Grade " + figures.grade, "No grade yet"), data_testid="grade"),
                info("grade"),
                class_name="quiet",
            ),
            class_name="gauge-text",
        ),
        class_name="gauge",
        data_kind=figures.kind,
    )


def _scale(figures: HeadlineFigures) -> Part:
    """The score with its interval on a scale from 0 to 1, beside the threshold and a fair random balancer's score."""
    chance = rx.el.div(class_name="strip-chance", custom_attrs=placed(left=figures.chance))
    ticks = [rx.el.span(tick.label, custom_attrs=placed(left=tick.at)) for tick in SCALE_TICKS]
    return rx.el.div(
        strip(
            figures,
            figures,
            THRESHOLD_AT,
            rx.el.div(class_name="strip-even", custom_attrs=placed(left=THRESHOLD_AT)),
            rx.cond(figures.chance != "", chance),
            data_testid="scale",
        ),
        rx.el.div(*ticks, class_name="strip-ticks", aria_hidden=True),
        rx.el.ul(
            _strip_key("dot", "score", figures.score),
            _strip_key("interval", figures.interval_name, figures.interval_text, "interval"),
            _strip_key("chance", "a fair random balancer would score", figures.chance_text, "noise"),
            _strip_key("even", "even from", f"{THRESHOLD:g}"),
            class_name="strip-keys",
        ),
        class_name="strip-box",
    )


def strip(figures: HeadlineFigures, at: Any, threshold_at: Text, *behind: Part, **more: Any) -> Part:
    """A score and its interval on a line, in words for those who do not see it. at: has the places dot, low, width."""
    interval = rx.el.div(class_name="strip-interval", custom_attrs=placed(left=at.low, width=at.width))
    return rx.el.div(
        *behind,
        rx.el.div(class_name="strip-threshold", custom_attrs=placed(left=threshold_at)),
        rx.cond(at.width != "", interval),
        rx.cond(at.dot != "", rx.el.div(class_name="strip-dot", custom_attrs=placed(left=at.dot))),
        class_name="strip",
        role="img",
        aria_label=rx.cond(
            figures.interval_text != "",
            figures.gauge_label + ", chance removed " + figures.interval_text + figures.interval_sure,
            figures.gauge_label,
        ),
        data_kind=figures.kind,
        **more,
    )


def _strip_key(look: str, text: str, value: Text, about: str = "") -> Part:
    return rx.el.li(
        rx.el.span(class_name=f"strip-key strip-key-{look}", aria_hidden=True),
        text + " ",
        rx.el.strong(rx.cond(value != "", value, "–")),
        info(about) if about else rx.fragment(),
    )


def _figure(label: str, value: Text, note: Text, name: str, about: str) -> Part:
    """One headline figure. about: what its info button explains."""
    return rx.el.div(
        rx.el.dt(explained(label, about)),
        rx.el.dd(value, class_name="figure-value", data_testid=f"figure-{name}"),
        rx.el.dd(note, class_name="quiet"),
        class_name="figure",
    )


def checks_panel() -> Part:
    """Whether an ended run met the thresholds of its plan."""
    return rx.cond(
        Follower.checks,
        rx.el.section(
            rx.el.h2("Thresholds"),
            rx.el.ul(rx.foreach(Follower.checks, _check), class_name="checks"),
            class_name="card stack",
            aria_label="Thresholds",
            data_testid="checks",
        ),
    )


def _check(check: CheckRow) -> Part:
    badge = rx.el.span(check.outcome_text, class_name="badge", data_outcome=check.outcome)
    return rx.el.li(badge, rx.el.strong(check.name), " ", check.sentence, data_testid="check")


def findings_panel(view: RunView) -> Part:
    """The causes that fit; a quiet line when none does though there is something to explain; else nothing."""
    return rx.cond(
        view.findings,
        rx.el.section(
            rx.el.h2("Likely causes", info("findings")),
            rx.el.div(
                rx.foreach(view.findings, _finding),
                class_name="findings",
                tab_index=0,
                role="region",
                aria_label="List of causes",
            ),
            class_name="card findings-card",
            aria_label="Likely causes",
            data_testid="findings",
        ),
        rx.cond(
            view.findings_note != "",
            rx.el.p(view.findings_note, class_name="card quiet-card quiet", data_testid="no-findings"),
        ),
    )


def _finding(finding: FindingRow) -> Part:
    return rx.el.article(
        rx.el.div(
            rx.el.h3(finding.title),
            rx.el.span(finding.certainty_text, class_name="badge", data_certainty=finding.certainty),
            class_name="head-line",
        ),
        rx.el.p(finding.cause),
        rx.el.p(finding.evidence, class_name="quiet"),
        rx.el.p(rx.el.strong("What to do: "), finding.remedy),
        rx.cond(finding.patch != "", _patch(finding)),
        class_name="finding",
        data_testid="finding",
        data_code=finding.code,
        key=finding.code,
    )


def _patch(finding: FindingRow) -> Part:
    patch = controls.to_copy(
        finding.patch,
        "Patch for " + finding.title,
        "Copy the patch for " + finding.title,
        "The patch was copied.",
        "copy-patch",
    )
    return rx.el.details(rx.el.summary("Manifest patch"), patch, class_name="fold")


def experiment_panel(follow_by_address: bool = False) -> Part:
    """What the shown run decided, or which second run would decide it. follow_by_address: on a run's own page."""
    return rx.fragment(_conclusion(), _offer(follow_by_address))


def _conclusion() -> Part:
    sequel = Follower.sequel
    return rx.cond(
        sequel.first_id != "",
        rx.el.section(
            rx.el.h2(rx.cond(sequel.conclusion != "", "Result of the experiment", "Experiment")),
            rx.cond(sequel.conclusion != "", rx.el.p(sequel.conclusion, data_testid="conclusion")),
            rx.cond(sequel.sentence != "", rx.el.p(sequel.sentence, class_name="quiet")),
            rx.el.p(
                rx.link("Show the first run", href="/runs/" + sequel.first_id, data_testid="first-run"),
                rx.cond(
                    sequel.conclusion != "",
                    rx.link("Compare both runs", href=sequel.compare_href, data_testid="to-compare"),
                ),
                class_name="links",
            ),
            class_name="card stack",
            aria_label="Experiment",
        ),
    )


def _offer(follow_by_address: bool) -> Part:
    run: Handler = PlanForm.experiment
    return rx.cond(
        Follower.sequel.reason != "",
        rx.el.section(
            rx.el.div(
                rx.el.h2("Decide with a second run"),
                rx.el.p(Follower.sequel.reason, data_testid="experiment-reason"),
                rx.el.p("It sends: ", Follower.sequel.plan, ".", class_name="quiet", data_testid="experiment-plan"),
                class_name="stack",
            ),
            controls.button(
                rx.cond(PlanForm.starting, "Starting…", "Run the experiment"),
                run(Follower.view.run_id, follow_by_address),
                "experiment",
                icon="flask-conical",
                **if_allowed("experiment", PlanForm.starting),
            ),
            class_name="card offer",
            aria_label="Decide with a second run",
        ),
    )
