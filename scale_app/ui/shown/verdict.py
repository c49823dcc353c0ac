"""The verdict: a word, a sentence, why and what to do, and the headline figures, smaller.

Below it the thresholds, the second run that would decide between causes, and what it decided.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.domain.balance import THRESHOLD
from scale_app.ui import controls
from scale_app.ui.callers import if_allowed
from scale_app.ui.display import explaining, info, notice
from scale_app.ui.plan.state import PlanForm
from scale_app.ui.reflex_compat import Handler, Part, Text
from scale_app.ui.shown.charts import placed
from scale_app.ui.shown.state import Follower
from scale_app.views.charts import SCALE_TICKS, THRESHOLD_AT
from scale_app.views.view import AlertRow, CheckRow, FindingRow, HeadlineFigures, RunView


def verdict_card(view: RunView, experiment: Part) -> Part:
    """The verdict in a word, a sentence that names the pod, why and what to do; the figures beside it, smaller.

    experiment: what would decide, or what it decided; here, where its coming moves nothing else.
    """
    figures = view.figures
    says = rx.cond(figures.says != "", figures.says, "Waiting for the first answers from the pods.")
    return rx.el.section(
        rx.el.div(
            rx.el.h2(
                rx.el.span(figures.kind_text, class_name="verdict-word", data_testid="verdict"),
                info("verdict"),
                class_name="head-line",
            ),
            rx.el.p(says, class_name="sentence", data_testid="sentence"),
            rx.cond(figures.prospect != "", _prospect(view)),
            rx.foreach(view.alerts, _alert),
            findings_of(view),
            experiment,
            class_name="verdict-text",
        ),
        _figures(figures),
        class_name="card verdict-card",
        data_kind=figures.kind,
        aria_label="Verdict",
        aria_busy=(view.state == "starting") | (view.state == "running") & ~view.has_data,
    )


def _prospect(view: RunView) -> Part:
    """What would decide, and while a run goes on how far it is."""
    toward = rx.el.progress(
        value=view.figures.toward_percent, max=100, aria_label="Progress to a verdict", class_name="progress"
    )
    return rx.el.div(
        rx.cond(view.active & (view.figures.toward_percent > 0), toward),
        rx.el.p(view.figures.prospect, class_name="quiet", data_testid="prospect"),
        class_name="prospect",
    )


def _alert(alert: AlertRow) -> Part:
    """A line of the card: an alert is about the verdict that stands above it."""
    message = rx.cond(alert.message != "", rx.fragment(". ", alert.message))
    said = rx.el.span(rx.el.strong(explaining(alert.title, "alerts")), message)
    return notice("triangle-alert", said, look="alert-line", size=16, data_testid="alert")


def _figures(figures: HeadlineFigures) -> Part:
    """Score, interval and the rest; the scale that has the score beside chance opens below them."""
    grade = rx.el.span(
        explaining(rx.cond(figures.grade != "", "Grade " + figures.grade, "No grade yet"), "grade"), data_testid="grade"
    )
    interval = rx.cond(figures.interval_text != "", figures.interval_text, "–")
    return rx.el.div(
        rx.el.dl(
            _figure("Score", figures.score, grade, "score", "score"),
            _figure("Interval", interval, "chance removed", "figure-interval", "interval"),
            _figure("Requests", figures.requests, figures.requests_note, "figure-requests", "requests"),
            _figure("Requests/s", figures.rate, figures.rate_note, "figure-rate", "rate"),
            _figure("Latency p95", figures.p95, figures.p95_note, "figure-p95", "latency"),
            _figure("Failures", figures.failures, figures.failures_note, "figure-failures", "failures"),
            class_name="figures",
        ),
        rx.el.details(
            rx.el.summary("Details", data_testid="more-figures"),
            _scale(figures),
            rx.el.dl(
                _figure("Spread (CV)", figures.cv, figures.cv_note, "figure-cv", "cv"),
                class_name="figures",
            ),
            class_name="fold",
        ),
        class_name="verdict-figures",
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
    """One headline figure. name: its test id; about: what its label explains."""
    return rx.el.div(
        rx.el.dt(explaining(label, about)),
        rx.el.dd(value, class_name="figure-value", data_testid=name),
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


def findings_of(view: RunView) -> Part:
    """The causes that fit, the first one whole; a quiet line when none does though there is something to explain."""
    return rx.cond(
        view.findings,
        rx.el.div(
            rx.foreach(view.findings, lambda finding, place: rx.cond(place == 0, _first(finding), _further(finding))),
            class_name="findings",
            data_testid="findings",
        ),
        rx.cond(view.findings_note != "", rx.el.p(view.findings_note, class_name="quiet", data_testid="no-findings")),
    )


def _first(finding: FindingRow) -> Part:
    return _article(finding, _certain(finding, rx.el.h3), *_told(finding))


def _further(finding: FindingRow) -> Part:
    """A line that opens."""
    line = rx.el.summary(_certain(finding, rx.el.span))
    return _article(finding, rx.el.details(line, *_told(finding), class_name="fold"))


def _article(finding: FindingRow, *inside: Part) -> Part:
    return rx.el.article(*inside, class_name="finding", data_testid="finding", data_code=finding.code, key=finding.code)


def _certain(finding: FindingRow, heading: Any) -> Part:
    certainty = rx.el.span(finding.certainty_text, class_name="badge", data_certainty=finding.certainty)
    return rx.el.span(heading(finding.title, class_name="finding-title"), certainty, class_name="head-line")


def _told(finding: FindingRow) -> tuple[Part, ...]:
    """Evidence and remedy; what the cause is in general, and the patch, open."""
    more = rx.el.details(
        rx.el.summary("How it works", rx.cond(finding.patch != "", ", and a patch for the manifest", "")),
        rx.el.p(finding.cause),
        rx.cond(finding.patch != "", _patch(finding)),
        class_name="fold",
    )
    return (
        rx.el.p(rx.el.strong(explaining("Why", "findings"), ": "), finding.evidence),
        rx.el.p(rx.el.strong("What to do: "), finding.remedy),
        more,
    )


def _patch(finding: FindingRow) -> Part:
    return controls.to_copy(
        finding.patch,
        "Patch for " + finding.title,
        "Copy the patch for " + finding.title,
        "The patch was copied.",
        "copy-patch",
    )


def experiment_panel(follow_by_address: bool = False) -> Part:
    """What the shown run decided, or which second run would decide it. follow_by_address: on a run's own page."""
    return rx.fragment(_conclusion(), _offer(follow_by_address))


def _conclusion() -> Part:
    sequel = Follower.sequel
    return rx.cond(
        sequel.first_id != "",
        rx.el.section(
            rx.el.h3(rx.cond(sequel.conclusion != "", "Result of the experiment", "Experiment")),
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
            class_name="stack offer-box",
            aria_label="Experiment",
        ),
    )


def _offer(follow_by_address: bool) -> Part:
    run: Handler = PlanForm.experiment
    return rx.cond(
        Follower.sequel.reason != "",
        rx.el.section(
            rx.el.div(
                rx.el.h3("Decide with a second run"),
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
            class_name="offer offer-box",
            aria_label="Decide with a second run",
        ),
    )
