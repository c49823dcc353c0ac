"""Snapshot and history to the page's view: text and pictures, figure by figure. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.domain.events import Event
from scale_app.domain.pod_history import PodSpans, PodTimes
from scale_app.domain.record import RunRecord
from scale_app.domain.snapshot import PodShare, Point, Snapshot
from scale_app.domain.verdict import Verdict
from scale_app.domain.verdict_sentence import count, rounded
from scale_app.pictures.axes import Mark
from scale_app.pictures.gauge import gauge
from scale_app.pictures.happened import event_lines
from scale_app.pictures.scale_bar import scale_bar
from scale_app.pictures.shares import shares_picture
from scale_app.pictures.times import times_picture
from scale_app.views import format as shown
from scale_app.views.counting import counting_note
from scale_app.views.diagnosis import alert_rows, finding_rows, findings_note, generator_note
from scale_app.views.happenings import alert_spans, happenings, marks
from scale_app.views.heat import heat
from scale_app.views.plan_lines import plan_lines
from scale_app.views.pod_table import MANY_PODS, outlier_side, pod_table, share_decimals
from scale_app.views.view import (
    MOST_LABELS,
    BarLabel,
    ErrorRow,
    EventMark,
    Figures,
    Progress,
    RunView,
    Shares,
    Tick,
    Times,
)
from scale_app.views.words import SOURCES, STATES, VERDICTS

NO_TIMES = PodSpans().times


def run_view(
    record: RunRecord, points: Sequence[Point], happened: Sequence[Event] = (), pods: PodTimes = NO_TIMES
) -> RunView:
    """The view of a run whose newest snapshot, if any, is record.last."""
    snapshot, state = record.last, record.state
    source_text, source_note = SOURCES[record.source]
    table = pod_table(snapshot.pods if snapshot else ())
    return RunView(
        run_id=record.run_id,
        target=record.plan.target_url,
        state=state.value,
        state_text=STATES[state],
        active=state.active,
        source=record.source.value,
        source_text=source_text,
        source_note=source_note,
        counting=counting_note(snapshot.counting) if snapshot else "",
        message=record.told or (snapshot.message if snapshot else ""),
        alerts=alert_rows(snapshot.alerts) if snapshot else [],
        when=shown.moment(record.created_at_epoch_s),
        title=_title(record),
        has_data=snapshot is not None and bool(snapshot.pods),
        figures=figures(snapshot) if snapshot else Figures(),
        progress=progress(snapshot) if snapshot else Progress(total=shown.clock(record.plan.duration_s)),
        findings=finding_rows(snapshot.findings) if snapshot else [],
        findings_note=findings_note(snapshot) if snapshot else "",
        shares=shares(snapshot) if snapshot else Shares(),
        times=times(points, record.plan.duration_s, state.active, happened),
        heat=heat(pods, points, record.plan.duration_s, state.active),
        pods=table.rows,
        pods_note=table.note,
        generator=generator_note(snapshot.findings) if snapshot else "",
        errors=_errors(snapshot) if snapshot else [],
        errors_note=_unnamed(snapshot) if snapshot else "",
        plan=plan_lines(record.plan, record.plan_known),
        happened=happenings(happened),
    )


def _title(record: RunRecord) -> str:
    score = record.last.balance.score if record.last else None
    parts = [] if score is None else [shown.score(score)]
    return " · ".join([*parts, STATES[record.state], "Scale"])


INTERVAL_NAMES = {False: "95 % interval, chance removed", True: "interval that holds at every look, chance removed"}
INTERVALS_SURE = {False: " with 95 % confidence", True: " at every look"}


def figures(snapshot: Snapshot) -> Figures:
    """The verdict card."""
    balance, verdict = snapshot.balance, snapshot.verdict
    bar = scale_bar(balance, verdict)
    score = shown.score(balance.score)
    return Figures(
        score=score,
        grade=balance.grade or "",
        gauge=gauge(balance.score),
        gauge_label="No score yet" if balance.score is None else f"Balance score {score} of 1, grade {balance.grade}",
        kind=verdict.kind.value,
        kind_text=VERDICTS[verdict.kind],
        sentence=shown.prose(verdict.sentence),
        requests=shown.count(snapshot.requests),
        requests_note=f"{shown.count(snapshot.connections)} connections",
        cv=shown.ratio(balance.cv),
        cv_note=_chance(verdict.noise_cv),
        p95=shown.milliseconds(snapshot.p95_ms),
        p95_note=f"p99 {shown.milliseconds(snapshot.p99_ms)}",
        failures=shown.count(snapshot.failures),
        failures_note=_of(snapshot.failures, snapshot.requests),
        rate=shown.rate(snapshot.requests_per_s),
        # Once a run has ended nobody sends any more; the rate is that of its end.
        rate_note=f"by {shown.count(snapshot.users)} users" if snapshot.users else "in the last 10 s",
        dot=shown.css(bar.dot),
        low=shown.css(bar.low),
        width="" if bar.low is None or bar.high is None else shown.css(max(bar.high - bar.low, 0.0)),
        chance=shown.css(bar.chance),
        chance_text="" if bar.chance is None else shown.score(verdict.noise_score),
        interval_text=_interval(verdict.score_low, verdict.score_high),
        interval_name=INTERVAL_NAMES[verdict.every_look],
        interval_sure=INTERVALS_SURE[verdict.every_look],
        decides=_decides(verdict),
    )


def _chance(noise_cv: float | None) -> str:
    return "0 is perfectly even" if noise_cv is None else f"by chance {shown.ratio(noise_cv)}"


def _of(part: int, whole: int) -> str:
    return f"{shown.percent(part / whole, 2)} of requests" if whole else "no requests yet"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{shown.score(low)} to {shown.score(high)}"


def _decides(verdict: Verdict) -> str:
    if verdict.picks_to_decide is None:
        return ""
    # Earlier versions did not keep the unit.
    unit = verdict.unit or ("connection" if verdict.connections_known else "request")
    return f"About {count(rounded(verdict.picks_to_decide), f'more {unit}')} would decide"


def progress(snapshot: Snapshot) -> Progress:
    """How far the run is."""
    return Progress(
        elapsed=shown.clock(snapshot.elapsed_s),
        total=shown.clock(snapshot.duration_s),
        remaining=f"{shown.clock(snapshot.remaining_s)} left" if snapshot.remaining_s > 0 else "",
        percent=round(100 * min(1.0, snapshot.elapsed_s / snapshot.duration_s)) if snapshot.duration_s > 0 else 0,
    )


def shares(snapshot: Snapshot) -> Shares:
    """Bars per pod: in the cluster's order, or by size when there are too many to tell apart."""
    pods = snapshot.pods
    many = len(pods) > MANY_PODS
    shown_pods = sorted(pods, key=lambda pod: -pod.share) if many else list(pods)
    picture = shares_picture(shown_pods, snapshot.verdict.noise_cv)
    return Shares(
        even=picture.even,
        outliers=picture.outliers,
        fair=picture.fair,
        band=picture.band,
        ticks=[Tick(shown.css(mark.at_percent), _axis_percent(mark.value)) for mark in picture.marks],
        labels=_bar_labels(shown_pods, picture.centres, picture.labels_at) if len(pods) <= MOST_LABELS else [],
        caption=_shares_caption(len(pods), many),
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


def _shares_caption(pods: int, many: bool) -> str:
    if not pods:
        return ""
    order = ", sorted by share" if many else ""
    fair = shown.percent(1 / pods, share_decimals(pods))
    return f"Dashed: the fair share, {fair} for each of {shown.count(pods)} pods{order}"


def _shares_summary(pods: Sequence[PodShare]) -> str:
    """The picture in words, for those who do not see it."""
    if not pods:
        return "No pod has answered yet"
    low, high = min(pods, key=lambda p: p.share), max(pods, key=lambda p: p.share)
    return (
        f"{len(pods)} pods. Largest share {shown.percent(high.share)} at {high.name}, "
        f"smallest {shown.percent(low.share)} at {low.name}."
    )


def times(points: Sequence[Point], duration_s: float, active: bool, happened: Sequence[Event] = ()) -> Times:
    """Score, requests per second and latency over time, and what happened on the same axis."""
    picture = times_picture(points, duration_s, active)
    told = marks(happened)
    events = event_lines([mark.at_s for mark in told], alert_spans(happened), picture.span_s)
    return Times(
        score=picture.score,
        score_area=picture.score_area,
        recent_score=picture.recent_score,
        requests=picture.requests,
        requests_area=picture.requests_area,
        failures=picture.failures,
        p50=picture.p50,
        p95=picture.p95,
        p99=picture.p99,
        events=events.lines,
        alerts=events.spans,
        marks=[EventMark(shown.css(100 * mark.at_s / picture.span_s), mark.text, mark.tone) for mark in told],
        times=[Tick(shown.css(mark.at_percent), shown.clock(mark.value)) for mark in picture.time_marks],
        rates=_number_ticks(picture.rate_marks),
        latencies=_number_ticks(picture.latency_marks),
        span_s=shown.plain(picture.span_s),
        rate_top=shown.plain(picture.rate_top),
        latency_top=shown.plain(picture.latency_top),
    )


def _number_ticks(marks: Sequence[Mark]) -> list[Tick]:
    return [Tick(shown.css(mark.at_percent), f"{mark.value:,g}") for mark in marks]


def _errors(snapshot: Snapshot) -> list[ErrorRow]:
    rows = sorted(snapshot.errors.items(), key=lambda item: -item[1])
    return [ErrorRow(cause, shown.count(n)) for cause, n in rows]


def _unnamed(snapshot: Snapshot) -> str:
    """How many requests tell nothing about any pod, "" when all do."""
    count = shown.count(snapshot.unattributed)
    return f"{count} requests ended without naming a pod and count for none." if snapshot.unattributed else ""
