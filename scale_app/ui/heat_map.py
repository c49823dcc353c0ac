"""The heat map: pods by time, on the time charts' axis."""

from __future__ import annotations

import reflex as rx

from scale_app.ui.charts import cursor, placed, readable, time_axis
from scale_app.ui.meant import Part
from scale_app.views.charts import CLASSES, LEGEND
from scale_app.views.view import Heat, Times


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
    """What each colour of the heat map says."""
    return rx.el.ul(
        *[rx.el.li(rx.el.span(class_name=f"heat-key heat-{look}"), text) for look, text in LEGEND],
        class_name="legend",
    )
