"""The heat map: pods by time, on the time charts' axis."""

from __future__ import annotations

import json
from itertools import pairwise

import reflex as rx

from scale_app.pictures.heat import COLOURS, STEPS
from scale_app.ui.charts import cursor, placed, readable, time_axis
from scale_app.ui.meant import Part
from scale_app.views.view import Heat, Times


def _classes() -> list[dict[str, str | int | bool]]:
    """What each colour says, and by what the read-out knows it: its opacity, and whether it is a blue one."""
    ends = ("", *(f"{step:g}" for step in STEPS), "")
    texts = [_between(low, high) for low, high in pairwise(ends)]
    told = zip(COLOURS, [*texts, "had no share to get"], strict=True)
    return [{"opacity": alpha, "blue": blue > red, "text": text} for (red, _, blue, alpha), text in told]


def _between(low: str, high: str) -> str:
    if not low:
        return f"less than {high} of its fair share"
    return f"{low} to {high} of its fair share" if high else f"more than {low} times its fair share"


CLASSES = json.dumps(_classes())


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
            **readable("Pods over time", "heat", span=times.span_s, classes=CLASSES),
        ),
        time_axis(times),
        class_name="chart heat",
    )


HEAT_LEGEND = (("under", "less than half"), ("below", "less"), ("fair", "fair"), ("above", "more"), ("over", "twice"))


def heat_legend() -> Part:
    """What each colour of the heat map says."""
    return rx.el.ul(
        *[rx.el.li(rx.el.span(class_name=f"heat-key heat-{look}"), text) for look, text in HEAT_LEGEND],
        class_name="legend",
    )
