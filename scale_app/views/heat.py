"""Pods by time as people read it: the picture on the time charts' axis, its rows by name, its colours in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from scale_app.domain.pod_history import PodTimes
from scale_app.domain.snapshot import Point
from scale_app.pictures.axes import time_span
from scale_app.pictures.heat import COLOURS, STEPS, HeatPicture, heat_picture
from scale_app.views import format as shown
from scale_app.views.pod_table import MANY_PODS
from scale_app.views.view import MOST_LABELS, Heat

LEGEND = (("under", "less than half"), ("below", "less"), ("fair", "fair"), ("above", "more"), ("over", "twice"))
"""Class of the stylesheet, and what the colour says."""


def heat(pods: PodTimes, points: Sequence[Point], duration_s: float, active: bool) -> Heat:
    """Pods by time, on the time charts' axis."""
    picture = heat_picture(pods, MANY_PODS)
    if not picture.image:
        return Heat()
    span_s = time_span(points[-1].elapsed_s if points else picture.width_s, duration_s, active)
    names = [" ".join(shown.short_name(name).split()) for name in picture.names]
    return Heat(
        image=picture.image,
        width=shown.css(100 * picture.width_s / span_s),
        names=names if len(names) <= MOST_LABELS else [],
        rows=_rows(names, picture.held),
        caption=_caption(picture),
        summary=_summary(picture, len(pods.names)),
    )


def _rows(names: Sequence[str], held: Sequence[int]) -> str:
    """As `Heat` says; as short as can be, since it is sent each second."""
    return "\n".join(name if pods == 1 else f"{name}\t{pods - 1}" for name, pods in zip(names, held, strict=True))


def _caption(picture: HeatPicture) -> str:
    order = "the busiest pods at the top" if picture.sorted_by_share else "one row for a pod"
    return f"Share against the fair share, {order}; a column is {shown.span(picture.span_s)}"


def _summary(picture: HeatPicture, pods: int) -> str:
    """The picture in words, for those who do not see it."""
    lately = f"{shown.count(picture.over)} clearly above and {shown.count(picture.under)} clearly below"
    return f"{shown.count(pods)} pods over time. In the newest column {lately} the fair share."


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


CLASSES = json.dumps(_classes(), separators=(",", ":"))
"""For the script that reads the picture out: JSON."""
