"""Pictures in their places: axes, labels and captions of the charts that page and report draw alike. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.events import Event
from scale_app.domain.pod_history import PodTimes, fair_shares
from scale_app.domain.snapshot import PodShare, Point, Snapshot
from scale_app.pictures.axes import SIDE, AxisMark, time_span
from scale_app.pictures.balance import shares_picture
from scale_app.pictures.heat import COLOURS, STEPS, HeatPicture, heat_picture
from scale_app.pictures.times import event_lines, times_picture
from scale_app.views import format as shown
from scale_app.views.pod_state import judged_pods, outlier_side
from scale_app.views.pod_table import MANY_PODS, by_share_if_many, share_decimals
from scale_app.views.sentences import alert_spans, marks
from scale_app.views.view import MOST_LABELS, AxisTick, BarLabel, Happening, Heat, Shares, Times


def _tick(score: float) -> AxisTick:
    return AxisTick(f"{100 * score:g}%", f"{score:g}")


ABOUT_EQUAL = 1.05
"""Fair shares that differ by less are told as one: pods become ready one after the other."""

SCORE_TICKS = [_tick(score) for score in (0, 0.25, 0.5, 0.75, 1)]
SCALE_TICKS = [*SCORE_TICKS[:-1], _tick(THRESHOLD), SCORE_TICKS[-1]]
"""Of the scale, which names the threshold as well."""
THRESHOLD_AT = _tick(THRESHOLD).at
THRESHOLD_PATH = f"M0 {SIDE * (1 - THRESHOLD):g}H{SIDE}"
"""The threshold across a chart of the score over time."""
EVEN_FROM = f"even from {THRESHOLD:g}"


@dataclass(frozen=True)
class ChartLine:
    """One path. look: a class of the stylesheet; series: what the read-out calls its values, "" when it has none."""

    look: str
    d: str
    series: str = ""


@dataclass(frozen=True)
class TimeChart:
    """A chart over time. kind, top, unit: for the read-out, top the axis' upper end.

    legend: class of the line, what it is, and the key of what explains it if something does.
    """

    title: str
    label: str
    kind: str
    top: str
    unit: str
    ticks: list[AxisTick]
    lines: tuple[ChartLine, ...]
    legend: tuple[tuple[str, ...], ...]


def time_charts(times: Times) -> tuple[TimeChart, ...]:
    """The charts over time, in reading order. times: a value, or a variable of the page."""
    return _score_chart(times), _rate_chart(times), _latency_chart(times)


def _score_chart(times: Times) -> TimeChart:
    """The score since the start, the recent score thin, the threshold dashed; alerts shaded, events as lines."""
    lines = (
        ChartLine("alert-span", times.alerts),
        ChartLine("area", times.score_area),
        ChartLine("threshold", THRESHOLD_PATH),
        ChartLine("event-line", times.events),
        ChartLine("line-second", times.recent_score, "last 10 s"),
        ChartLine("line", times.score, "score since the start"),
    )
    legend = (
        ("line", "since the start"),
        ("line-second", "last 10 s", "recent_score"),
        ("threshold", EVEN_FROM),
        ("alert-span", "alert"),
        ("event-line", "event"),
    )
    return TimeChart("Score over time", "Balance score over time", "score", "1", "", SCORE_TICKS, lines, legend)


def _rate_chart(times: Times) -> TimeChart:
    title, label = "Requests per second", "Requests per second over time"
    lines = (
        ChartLine("area", times.requests_area),
        ChartLine("event-line", times.events),
        ChartLine("line", times.requests, "requests"),
        ChartLine("line-failures", times.failures, "failures"),
    )
    legend = (("line", "requests"), ("line-failures", "failures"))
    return TimeChart(title, label, "rate", times.rate_top, " /s", times.rates, lines, legend)


def _latency_chart(times: Times) -> TimeChart:
    title, label = "Latency in milliseconds", "Latency over time"
    lines = (
        ChartLine("event-line", times.events),
        ChartLine("line-second", times.p50, "p50"),
        ChartLine("line", times.p95, "p95"),
        ChartLine("line-dotted", times.p99, "p99"),
    )
    legend = (("line-second", "p50"), ("line", "p95"), ("line-dotted", "p99"))
    return TimeChart(title, label, "latency", times.latency_top, " ms", times.latencies, lines, legend)


def shares(snapshot: Snapshot) -> Shares:
    """Bars per pod: in the cluster's order, or by size when there are too many to tell apart."""
    pods = judged_pods(snapshot)
    shown_pods = by_share_if_many(pods)
    picture = shares_picture(shown_pods, snapshot.verdict.noise_cv)
    return Shares(
        even=picture.even,
        over=picture.over,
        under=picture.under,
        fair=picture.fair,
        band=picture.band,
        ticks=[AxisTick(shown.css(mark.at_percent), _axis_percent(mark.value)) for mark in picture.marks],
        labels=_bar_labels(shown_pods, picture.centres, picture.labels_at) if len(pods) <= MOST_LABELS else [],
        caption=_shares_caption(pods, len(pods) > MANY_PODS),
        summary=_shares_summary(pods),
    )


def _bar_labels(pods: Sequence[PodShare], centres: Sequence[float], tops: Sequence[float]) -> list[BarLabel]:
    return [
        BarLabel(
            shown.short_name(pod.name), shown.percent(pod.share), shown.css(left), shown.css(top), outlier_side(pod)
        )
        for pod, left, top in zip(pods, centres, tops, strict=True)
    ]


def _axis_percent(value: float) -> str:
    return shown.percent(value, 0 if abs(value * 100 - round(value * 100)) < 1e-6 else 1)


def _shares_caption(pods: Sequence[PodShare], many: bool) -> str:
    if not pods:
        return ""
    order, fair = ", sorted by share" if many else "", fair_shares(pods)
    if float(fair.max()) > ABOUT_EQUAL * float(fair.min()):
        return f"Dashed: the fair share of each pod{order}"
    each = shown.percent(1 / len(pods), share_decimals(len(pods)))
    return f"Dashed: fair share, {each} for {'the one pod' if len(pods) == 1 else f'each of {len(pods):,} pods'}{order}"


def _shares_summary(pods: Sequence[PodShare]) -> str:
    """The picture in words, for those who do not see it."""
    if not pods:
        return "No pod has been counted yet"
    low, high = min(pods, key=lambda p: p.share), max(pods, key=lambda p: p.share)
    return (
        f"{len(pods)} pods. Largest share {shown.percent(high.share)} at {high.name}, "
        f"smallest {shown.percent(low.share)} at {low.name}."
    )


def times(points: Sequence[Point], duration_s: float, active: bool, happened: Sequence[Event] = ()) -> Times:
    """Score, requests per second and latency over time, and what happened on the same axis."""
    picture = times_picture(points, duration_s, active)
    told = marks(happened)
    events = event_lines([at_s for at_s, _ in told], alert_spans(happened), picture.span_s)
    return Times(
        **picture.paths,
        events=events.lines,
        alerts=events.spans,
        marks=[_mark(at_s / picture.span_s, line) for at_s, line in told],
        times=[AxisTick(shown.css(mark.at_percent), shown.clock(mark.value)) for mark in picture.time_marks],
        rates=_number_ticks(picture.rate_marks),
        latencies=_number_ticks(picture.latency_marks),
        span_s=shown.plain(picture.span_s),
        rate_top=shown.plain(picture.rate_top),
        latency_top=shown.plain(picture.latency_top),
    )


def _mark(part: float, line: Happening) -> Happening:
    return Happening(shown.css(100 * part), f"{line.at} {line.text}", line.tone)


def _number_ticks(marks: Sequence[AxisMark]) -> list[AxisTick]:
    return [AxisTick(shown.css(mark.at_percent), f"{mark.value:,g}") for mark in marks]


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
        rows=_heat_rows(names, picture.held),
        caption=_heat_caption(picture),
        summary=_heat_summary(picture, len(pods.names)),
    )


def _heat_rows(names: Sequence[str], held: Sequence[int]) -> str:
    """As `Heat` says; as short as can be, since it is sent each second."""
    return "\n".join(name if pods == 1 else f"{name}\t{pods - 1}" for name, pods in zip(names, held, strict=True))


def _heat_caption(picture: HeatPicture) -> str:
    order = "the busiest pods at the top" if picture.sorted_by_share else "one row per pod"
    return f"Share compared with the fair share, {order}, one column per {shown.span(picture.span_s)}"


def _heat_summary(picture: HeatPicture, pods: int) -> str:
    """The picture in words, for those who do not see it."""
    lately = f"{shown.count(picture.over)} clearly above and {shown.count(picture.under)} clearly below"
    return f"{shown.count(pods)} pods over time. In the newest column {lately} the fair share."


def _heat_classes() -> list[dict[str, str | int | bool]]:
    """What each colour says, and by what the read-out knows it: its opacity, and whether it is a blue one."""
    ends = ("", *(f"{step:g}" for step in STEPS), "")
    texts = [_between(low, high) for low, high in pairwise(ends)]
    told = zip(COLOURS, [*texts, "not ready, so no share expected"], strict=True)
    return [{"opacity": alpha, "blue": blue > red, "text": text} for (red, _, blue, alpha), text in told]


def _between(low: str, high: str) -> str:
    if not low:
        return f"less than {high} of its fair share"
    return f"{low} to {high} of its fair share" if high else f"more than {low} times its fair share"


CLASSES = json.dumps(_heat_classes(), separators=(",", ":"))
"""For the script that reads the picture out: JSON."""
