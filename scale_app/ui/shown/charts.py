"""Charts: path strings stretched over a plot, axis labels as text beside it, so that letters keep their size.

One path per series, and one image for the heat map, keep an update cheap however many pods or seconds they show;
nothing is animated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from scale_app.pictures.axes import SIDE
from scale_app.ui.display import info
from scale_app.ui.reflex_compat import Figure, Part, Text
from scale_app.views.charts import CLASSES, LEGEND, TimeChart
from scale_app.views.view import BarLabel, Happening, Heat, Shares, Times


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


def plot(label: Text, *paths: Part, look: str = "plot-svg", **more: Any) -> Part:
    """The stretched surface on which paths are drawn. label: the picture in words; look: a class of the stylesheet."""
    return rx.el.svg(
        *paths,
        view_box=f"0 0 {SIDE} {SIDE}",
        preserve_aspect_ratio="none",
        role="img",
        aria_label=label,
        class_name=look,
        **more,
    )


def frame(*inside: Part, y_ticks: Figure, x_axis: Part, read: dict[str, Any] | None = None) -> Part:
    """A plot with a horizontal grid, labels at its left and an axis below. read: what `readable` says of it."""
    labels = _each(y_ticks, lambda tick: rx.el.span(tick.label, custom_attrs=placed(bottom=tick.at)))
    lines = _each(y_ticks, lambda tick: rx.el.div(class_name="grid-line", custom_attrs=placed(bottom=tick.at)))
    return rx.el.div(
        rx.el.div(labels, class_name="axis-y", aria_hidden=True),
        rx.el.div(lines, *inside, cursor() if read else "", class_name="plot", **(read or {})),
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


def time_axis(times: Times) -> Part:
    return rx.el.div(
        rx.foreach(times.times, lambda tick: rx.el.span(tick.label, custom_attrs=placed(left=tick.at))),
        class_name="axis-x",
        aria_hidden=True,
    )


def shares_chart(shares: Shares) -> Part:
    """Bars per pod, the fair share dashed, the band of chance behind."""
    return frame(
        plot(
            shares.summary,
            path(shares.band, "band"),
            path(shares.even, "bars"),
            path(shares.over, "bars-over"),
            path(shares.under, "bars-under"),
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


def time_chart(chart: TimeChart, times: Times) -> Part:
    """A chart over time; below that of the score, signs of what happened."""
    marks = rx.el.div(rx.foreach(times.marks, _mark), class_name="marks", aria_hidden=True)
    return frame(
        plot(chart.label, *[path(line.d, line.look, line.series) for line in chart.lines]),
        marks if chart.kind == "score" else rx.fragment(),
        y_ticks=chart.ticks,
        x_axis=time_axis(times),
        read=readable(chart.label, chart.kind, span=times.span_s, top=chart.top, unit=chart.unit),
    )


def _mark(mark: Happening) -> Part:
    """A small sign at the foot of an event's line, which tells on hover what happened; the list tells it too."""
    return rx.el.span(title=mark.text, data_tone=mark.tone, class_name="mark", custom_attrs=placed(left=mark.at))


def legend(entries: Sequence[tuple[str, ...]]) -> Part:
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


def heat_map(heat: Heat, times: Times) -> Part:
    """Pods by time: a row for a pod, colour for its share against the fair one."""
    return rx.el.div(
        rx.el.div(rx.foreach(heat.names, lambda name: rx.el.span(name)), class_name="heat-names", aria_hidden=True),
        rx.el.div(
            rx.el.img(
                src=heat.image,
                alt=heat.summary,
                class_name="heat-image",
                custom_attrs=placed(width=heat.width),
                data_testid="heat",
            ),
            cursor(),
            class_name="heat-plot",
            **readable("Pods over time", "heat", span=times.span_s, classes=CLASSES, rows=heat.rows),
        ),
        time_axis(times),
        class_name="chart heat",
    )


def heat_legend() -> Part:
    return rx.el.ul(
        *[rx.el.li(rx.el.span(class_name=f"heat-key heat-{look}"), text) for look, text in LEGEND],
        class_name="legend",
    )
