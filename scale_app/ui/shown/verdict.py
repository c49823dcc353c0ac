"""The verdict: score, grade, a sentence, the score on a scale beside chance, and the headline figures."""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.domain.balance import THRESHOLD
from scale_app.pictures.score import RING
from scale_app.ui.display import explained, info
from scale_app.ui.reflex_compat import Part, Text
from scale_app.ui.shown.charts import placed
from scale_app.views.charts import SCALE_TICKS, THRESHOLD_AT
from scale_app.views.view import HeadlineFigures, RunView


def verdict_card(view: RunView) -> Part:
    """Score, grade, the verdict as a sentence, the scale, what would decide, and the headline figures."""
    figures = view.figures
    return rx.el.section(
        rx.el.div(
            gauge(figures),
            rx.el.div(
                _verdict(figures),
                rx.el.p(
                    rx.cond(figures.sentence != "", figures.sentence, "Waiting for the first answers from the pods."),
                    class_name="sentence",
                    data_testid="sentence",
                ),
                scale_strip(figures),
                class_name="verdict-text",
            ),
            class_name="verdict",
        ),
        _headline_figures(figures),
        class_name="card verdict-card",
        aria_label="Balance",
        aria_busy=(view.state == "starting") | (view.state == "running") & ~view.has_data,
    )


def _verdict(figures: HeadlineFigures) -> Part:
    return rx.el.div(
        rx.el.h2("Balance", info("score")),
        rx.el.span(figures.kind_text, class_name="badge", data_kind=figures.kind, data_testid="verdict"),
        info("verdict"),
        rx.cond(
            figures.decides != "",
            rx.el.span(figures.decides, class_name="decides", data_testid="decides"),
        ),
        class_name="head-line",
    )


def gauge(figures: HeadlineFigures) -> Part:
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


def scale_strip(figures: HeadlineFigures) -> Part:
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


def _headline_figures(figures: HeadlineFigures) -> Part:
    return rx.el.dl(
        figure("Requests", figures.requests, figures.requests_note, "requests", "requests"),
        figure("Requests/s", figures.rate, figures.rate_note, "rate", "rate"),
        figure("Spread (CV)", figures.cv, figures.cv_note, "cv", "cv"),
        figure("Latency p95", figures.p95, figures.p95_note, "p95", "latency"),
        figure("Failures", figures.failures, figures.failures_note, "failures", "failures"),
        class_name="figures",
    )


def figure(label: str, value: Text, note: Text, name: str, about: str) -> Part:
    """One headline figure. about: what its info button explains."""
    return rx.el.div(
        rx.el.dt(explained(label, about)),
        rx.el.dd(value, class_name="figure-value", data_testid=f"figure-{name}"),
        rx.el.dd(note, class_name="quiet"),
        class_name="figure",
    )
