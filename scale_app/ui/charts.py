"""Charts: path strings stretched over a plot, axis labels as text beside it, so that letters keep their size.

One path per series keeps an update cheap however many pods or seconds it shows; nothing is animated.
"""

from __future__ import annotations

from typing import Any

import reflex as rx

from scale_app.domain.balance import THRESHOLD
from scale_app.pictures.axes import SIDE
from scale_app.pictures.score import RING
from scale_app.ui.info import info
from scale_app.ui.meant import Figure, Part, Text
from scale_app.views.charts import SCALE_TICKS, SCORE_TICKS, THRESHOLD_AT, THRESHOLD_PATH
from scale_app.views.view import BarLabel, EventMark, Figures, Shares, Tick, Times


def placed(**lengths: Text) -> dict[str, Any]:
    """Where an element stands, as its own style attribute.

    Reflex's `style` would make a class of each new length, and every rule added makes the browser look at the whole
    page again.
    """
    return {"style": rx.Var.create(lengths)}


def path(d: Text, look: str, series: str = "") -> Part:
    """One stretched path. look: a class of the stylesheet; series: what the read-out calls its values."""
    name = {"data-series": series} if series else {}
    return rx.el.path(d=d, class_name=look, custom_attrs={"vectorEffect": "non-scaling-stroke"} | name)


def plot(label: Text, *paths: Part) -> Part:
    """The stretched surface on which paths are drawn. label: the picture in words."""
    return rx.el.svg(
        *paths,
        view_box=f"0 0 {SIDE} {SIDE}",
        preserve_aspect_ratio="none",
        role="img",
        aria_label=label,
        class_name="plot-svg",
    )


def frame(*inside: Part, y_ticks: Figure, x_axis: Part, read: dict[str, Any] | None = None) -> Part:
    """A plot with a horizontal grid, labels at its left and an axis below. read: what `readable` says of it."""
    return rx.el.div(
        rx.el.div(_each(y_ticks, _y_label), class_name="axis-y", aria_hidden=True),
        rx.el.div(_each(y_ticks, _grid_line), *inside, cursor() if read else "", class_name="plot", **(read or {})),
        x_axis,
        class_name="chart",
    )


def readable(label: str, kind: str, **data: Text) -> dict[str, Any]:
    """Attributes of a plot that pictures/readout.js reads out. label: what it shows; data: its axes, in their units."""
    return {
        "tab_index": 0,
        "role": "group",
        "aria_label": f"{label}. The arrow keys read it out.",
        "custom_attrs": {"data-readout": kind} | {f"data-{name}": value for name, value in data.items()},
        "data_testid": f"plot-{kind}",
    }


def cursor() -> Part:
    """The line that the read-out moves across a plot."""
    return rx.el.div(class_name="cursor", aria_hidden=True)


def readout() -> Part:
    """Where a panel's chart is read out, told to those who move along it by keys as well."""
    return rx.el.output(class_name="readout", aria_live="polite", data_testid="readout")


def _each(ticks: Figure, draw: Any) -> Part:
    if isinstance(ticks, list):
        return rx.fragment(*[draw(tick) for tick in ticks])
    return rx.foreach(ticks, draw)


def _y_label(tick: Tick) -> Part:
    return rx.el.span(tick.label, custom_attrs=placed(bottom=tick.at))


def _grid_line(tick: Tick) -> Part:
    return rx.el.div(class_name="grid-line", custom_attrs=placed(bottom=tick.at))


def time_axis(times: Times) -> Part:
    """Minutes and seconds since the start."""
    return rx.el.div(
        rx.foreach(times.times, lambda tick: rx.el.span(tick.label, custom_attrs=placed(left=tick.at))),
        class_name="axis-x",
        aria_hidden=True,
    )


def gauge(figures: Figures) -> Part:
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


def shares_chart(shares: Shares) -> Part:
    """Bars per pod, the fair share dashed, the band of chance behind."""
    return frame(
        plot(
            shares.summary,
            path(shares.band, "band"),
            path(shares.even, "bars"),
            path(shares.outliers, "bars-outlier"),
            path(shares.fair, "fair"),
        ),
        rx.foreach(shares.labels, _bar_value),
        y_ticks=shares.ticks,
        x_axis=rx.el.div(rx.foreach(shares.labels, _bar_name), class_name="axis-x axis-pods", aria_hidden=True),
    )


def _bar_value(label: BarLabel) -> Part:
    return rx.el.span(
        rx.match(label.outlier, ("over", "▲ "), ("under", "▼ "), ""),
        label.value,
        class_name="bar-value",
        data_outlier=label.outlier,
        custom_attrs=placed(left=label.left, bottom=label.bottom),
        aria_hidden=True,
    )


def _bar_name(label: BarLabel) -> Part:
    return rx.el.span(label.name, custom_attrs=placed(left=label.left), data_outlier=label.outlier)


def score_chart(times: Times) -> Part:
    """The score since the start, the recent score thin, the threshold dashed; alerts shaded, events as lines."""
    return frame(
        plot(
            "Balance score over time",
            path(times.alerts, "alert-span"),
            path(times.score_area, "area"),
            path(THRESHOLD_PATH, "threshold"),
            path(times.events, "event-line"),
            path(times.recent_score, "line-second", "last seconds"),
            path(times.score, "line", "score since the start"),
        ),
        _marks(times),
        y_ticks=SCORE_TICKS,
        x_axis=time_axis(times),
        read=readable("Balance score over time", "score", span=times.span_s, top="1"),
    )


def _marks(times: Times) -> Part:
    """A small sign at the foot of each event's line, which tells on hover what happened; the list tells it too."""
    return rx.el.div(rx.foreach(times.marks, _mark), class_name="marks", aria_hidden=True)


def _mark(mark: EventMark) -> Part:
    return rx.el.span(title=mark.text, data_tone=mark.tone, class_name="mark", custom_attrs=placed(left=mark.at))


def rate_chart(times: Times) -> Part:
    """Requests and failures per second."""
    return frame(
        plot(
            "Requests per second over time",
            path(times.requests_area, "area"),
            path(times.events, "event-line"),
            path(times.requests, "line", "requests"),
            path(times.failures, "line-failures", "failures"),
        ),
        y_ticks=times.rates,
        x_axis=time_axis(times),
        read=readable("Requests per second over time", "rate", span=times.span_s, top=times.rate_top, unit=" /s"),
    )


def latency_chart(times: Times) -> Part:
    """Latency p50, p95 and p99."""
    return frame(
        plot(
            "Latency over time",
            path(times.events, "event-line"),
            path(times.p50, "line-second", "p50"),
            path(times.p95, "line", "p95"),
            path(times.p99, "line-dotted", "p99"),
        ),
        y_ticks=times.latencies,
        x_axis=time_axis(times),
        read=readable("Latency over time", "latency", span=times.span_s, top=times.latency_top, unit=" ms"),
    )


def legend(*entries: tuple[str, ...]) -> Part:
    """What each line is. entries: (class of the line, text), and what an info button explains if there is one."""
    return rx.el.ul(
        *[
            rx.el.li(
                rx.el.svg(path("M0 5H20", look), view_box="0 0 20 10", class_name="legend-line", aria_hidden=True),
                text,
                *map(info, about),
            )
            for look, text, *about in entries
        ],
        class_name="legend",
    )


def scale_strip(figures: Figures) -> Part:
    """The score with its interval on a scale from 0 to 1, beside the threshold and what chance alone gives."""
    return rx.el.div(
        rx.el.div(
            rx.el.div(class_name="strip-even", custom_attrs=placed(left=THRESHOLD_AT)),
            rx.cond(
                figures.chance != "",
                rx.el.div(class_name="strip-chance", custom_attrs=placed(left=figures.chance)),
            ),
            rx.el.div(class_name="strip-threshold", custom_attrs=placed(left=THRESHOLD_AT)),
            rx.cond(
                figures.width != "",
                rx.el.div(class_name="strip-interval", custom_attrs=placed(left=figures.low, width=figures.width)),
            ),
            rx.cond(figures.dot != "", rx.el.div(class_name="strip-dot", custom_attrs=placed(left=figures.dot))),
            class_name="strip",
            role="img",
            aria_label=rx.cond(
                figures.interval_text != "",
                figures.gauge_label + ", chance removed " + figures.interval_text + figures.interval_sure,
                figures.gauge_label,
            ),
            data_kind=figures.kind,
            data_testid="scale",
        ),
        rx.el.div(
            *[rx.el.span(tick.label, custom_attrs=placed(left=tick.at)) for tick in SCALE_TICKS],
            class_name="strip-ticks",
            aria_hidden=True,
        ),
        rx.el.ul(
            _strip_key("dot", "score", figures.score),
            _strip_key("interval", figures.interval_name, figures.interval_text, "interval"),
            _strip_key("chance", "chance alone gives", figures.chance_text, "noise"),
            _strip_key("even", "even from", f"{THRESHOLD:g}"),
            class_name="strip-keys",
        ),
        class_name="strip-box",
    )


def _strip_key(look: str, text: str, value: Text, about: str = "") -> Part:
    return rx.el.li(
        rx.el.span(class_name=f"strip-key strip-key-{look}", aria_hidden=True),
        text + " ",
        rx.el.strong(rx.cond(value != "", value, "–")),
        info(about) if about else rx.fragment(),
    )
