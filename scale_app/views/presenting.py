"""A run as the page shows it, figure by figure: whole, by its snapshot and history; and as a row of a list. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from scale_app.domain.balance import Balance
from scale_app.domain.compare import policy
from scale_app.domain.events import Event
from scale_app.domain.identity import LOCAL_USER
from scale_app.domain.plan import LoadPlan
from scale_app.domain.pod_history import PodSpans, PodTimes
from scale_app.domain.record import RunOutline, RunRecord
from scale_app.domain.snapshot import Point, Snapshot
from scale_app.domain.verdict import Verdict, VerdictKind
from scale_app.domain.verdict_sentence import count
from scale_app.pictures.balance import gauge, scale_bar
from scale_app.pictures.times import sparkline
from scale_app.views import format as shown
from scale_app.views.charts import heat, shares, times
from scale_app.views.plan_fields import FIELDS, PLAN_FIELDS, PlanField
from scale_app.views.pod_state import judged_pods
from scale_app.views.pod_table import pods_note, pods_sent
from scale_app.views.sentences import (
    alert_rows,
    counting_note,
    finding_rows,
    findings_note,
    generator_note,
    happenings,
    parted,
)
from scale_app.views.view import ErrorRow, HeadlineFigures, PlanLine, RunProgress, RunView
from scale_app.views.words import PATTERNS, STATES, VERDICTS

NO_TIMES = PodSpans().times


def run_view(
    record: RunRecord, points: Sequence[Point], happened: Sequence[Event] = (), pods: PodTimes = NO_TIMES
) -> RunView:
    """The view of a run whose newest snapshot, if any, is record.last."""
    state, duration_s = record.state, record.plan.duration_s
    view = RunView(
        run_id=record.run_id,
        short_id=shown.short_id(record.run_id),
        target=record.plan.target_url,
        brief=plan_in_short(record.plan),
        state=state.value,
        state_text=STATES[state],
        active=state.active,
        source=record.source.value,
        source_text=record.source.traits.label,
        source_note=record.source.traits.meaning,
        message=record.told or (record.last.message if record.last else ""),
        when=" by ".join(filter(None, (shown.moment(record.created_at_epoch_s), starter(record.started_by)))),
        title=_title(record),
        progress=RunProgress(total=shown.clock(duration_s)),
        times=times(points, duration_s, state.active, happened),
        heat=heat(pods, points, duration_s, state.active),
        plan=plan_lines(record.plan, record.plan_known),
        happened=happenings(happened),
    )
    return _with_figures(view, record.last) if record.last else view


def _with_figures(view: RunView, snapshot: Snapshot) -> RunView:
    return replace(
        view,
        counting=" ".join(part for part in (counting_note(snapshot.counting), snapshot.pods_problem) if part),
        alerts=alert_rows(snapshot),
        has_data=bool(snapshot.pods),
        figures=figures(snapshot),
        progress=progress(snapshot),
        findings=finding_rows(snapshot.findings),
        findings_note=findings_note(snapshot),
        shares=shares(snapshot),
        pods=pods_sent(judged_pods(snapshot)),
        pods_note=pods_note(snapshot),
        generator=generator_note(snapshot.findings),
        errors=_errors(snapshot),
        errors_note=_unnamed(snapshot),
    )


def _title(record: RunRecord) -> str:
    score = record.last.balance.score if record.last else None
    parts = [] if score is None else [shown.score(score)]
    return " · ".join([*parts, STATES[record.state], "Scale"])


INTERVAL_NAMES = {False: "95 % interval, chance removed", True: "interval valid at every look, chance removed"}
INTERVALS_SURE = {False: " with 95 % confidence", True: " at every look"}


def figures(snapshot: Snapshot) -> HeadlineFigures:
    """The verdict card."""
    balance, verdict = snapshot.balance, snapshot.verdict
    score = shown.score(balance.score)
    says, prospect = parted(verdict.sentence, VERDICTS[verdict.kind])
    figures = HeadlineFigures(
        score=score,
        grade=balance.grade or "",
        gauge=gauge(balance.score),
        gauge_label="No score yet" if balance.score is None else f"Balance score {score} of 1, grade {balance.grade}",
        kind=verdict.kind.value,
        kind_text=VERDICTS[verdict.kind],
        sentence=shown.prose(verdict.sentence),
        says=shown.prose(says),
        prospect=shown.prose(prospect),
        toward_percent=_toward_percent(snapshot),
        requests=shown.count(snapshot.requests),
        requests_note=f"{count(snapshot.connections, 'connection')} opened",
        cv=shown.ratio(balance.cv),
        cv_note=_chance(verdict.noise_cv),
        p95=shown.milliseconds(snapshot.p95_ms),
        p95_note=f"p99 {shown.milliseconds(snapshot.p99_ms)}",
        failures=shown.count(snapshot.failures),
        failures_note=_of(snapshot.failures, snapshot.requests),
        rate=shown.rate(snapshot.requests_per_s),
        rate_note=_rate_note(snapshot),
    )
    return _with_scale(figures, balance, verdict)


def _rate_note(snapshot: Snapshot) -> str:
    """Once a run has ended nobody sends any more; the rate is that of its end."""
    last_s = min(10, max(1, round(snapshot.elapsed_s)))
    return f"by {count(snapshot.users, 'user')}" if snapshot.users else f"in the last {last_s} s"


def _with_scale(figures: HeadlineFigures, balance: Balance, verdict: Verdict) -> HeadlineFigures:
    """The score on a scale from 0 to 1 with its interval, and what would decide."""
    bar = scale_bar(balance, verdict)
    return replace(
        figures,
        dot=shown.css(bar.dot),
        low=shown.css(bar.low),
        width="" if bar.low is None or bar.high is None else shown.css(max(bar.high - bar.low, 0.0)),
        chance=shown.css(bar.chance),
        chance_text="" if bar.chance is None else shown.score(verdict.noise_score),
        interval_text=_interval(verdict.score_low, verdict.score_high),
        interval_name=INTERVAL_NAMES[verdict.every_look],
        interval_sure=INTERVALS_SURE[verdict.every_look],
    )


def _chance(noise_cv: float | None) -> str:
    return "0 is perfectly even" if noise_cv is None else f"by chance {shown.ratio(noise_cv)}"


def _of(part: int, whole: int) -> str:
    return f"{shown.percent(part / whole, 2)} of requests" if whole else "no requests yet"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{shown.score(low)}–{shown.score(high)}"


def _toward_percent(snapshot: Snapshot) -> int:
    """How many of the picks that would decide there have been."""
    more = snapshot.verdict.picks_to_decide
    if more is None:
        return 0
    so_far = snapshot.connections if snapshot.verdict.unit == "connection" else snapshot.balance.requests
    return round(100 * so_far / (so_far + more))


def progress(snapshot: Snapshot) -> RunProgress:
    return RunProgress(
        elapsed=shown.clock(snapshot.elapsed_s),
        total=shown.clock(snapshot.duration_s),
        remaining=f"{shown.clock(snapshot.remaining_s)} left" if snapshot.remaining_s > 0 else "",
        percent=round(100 * min(1.0, snapshot.elapsed_s / snapshot.duration_s)) if snapshot.duration_s > 0 else 0,
    )


def _errors(snapshot: Snapshot) -> list[ErrorRow]:
    rows = sorted(snapshot.errors.items(), key=lambda item: -item[1])
    return [ErrorRow(cause, shown.count(n)) for cause, n in rows]


def _unnamed(snapshot: Snapshot) -> str:
    """How many requests tell nothing about any pod, "" when all do."""
    count = shown.count(snapshot.unattributed)
    return f"{count} requests named no pod and are not counted for any." if snapshot.unattributed else ""


def plan_lines(plan: LoadPlan, known: bool = True) -> list[PlanLine]:
    """A plan, figure by figure. known: False if only target, users and duration are known."""
    told = PLAN_FIELDS if known else (FIELDS["target_url"], FIELDS["users"], FIELDS["duration_s"])
    lines = [PlanLine(_listed_label(field), field.figure(getattr(plan, field.name))) for field in told if field.figure]
    return [line for line in lines if line.value not in ("", shown.NONE)]


def plan_in_short(plan: LoadPlan) -> str:
    """What a plan sends, and for how long: 100 users for 2 min, a new connection for each request."""
    rate = f", {shown.rate(plan.arrivals_per_s)} requests per second" if plan.arrivals_per_s is not None else ""
    ends = "until decided, at most" if plan.until == "decided" else "for"
    sent = f"{count(plan.users, 'user')} {ends} {shown.span(plan.duration_s)}{rate}"
    pattern = "" if plan.pattern.kind == "constant" else f", {PATTERNS[plan.pattern.kind][0].lower()}"
    return f"{sent}, {policy(plan.requests_per_connection)}{pattern}"


def _listed_label(field: PlanField) -> str:
    return "Connections" if field.name == "requests_per_connection" else field.label


@dataclass(frozen=True)
class RunListRow:
    """One run. created_at_epoch_s: wall clock, for the reader's own time zone. by: who started it, "" when not known.

    spark: a path, "" when not known yet.
    baseline: the name that the run is marked with, "" for none. baseline_hint: a name to offer for it.
    problem: why it cannot be read whole, or is not stored yet; "" for neither. waits: it is not stored yet.
    """

    run_id: str = ""
    short_id: str = ""
    created_at_epoch_s: float = 0.0
    by: str = ""
    target: str = ""
    plan: str = ""
    source: str = ""
    source_text: str = ""
    kind: str = ""
    verdict: str = ""
    score: str = ""
    grade: str = ""
    requests: str = ""
    state: str = ""
    state_text: str = ""
    active: bool = False
    message: str = ""
    spark: str = ""
    baseline: str = ""
    baseline_hint: str = ""
    problem: str = ""
    waits: bool = False


NO_ROW = RunListRow()


def starter(name: str) -> str:
    """Who started a run, "" where everybody is the same local user or nobody noted it."""
    return "" if name == LOCAL_USER.name else name


def run_row(run: RunOutline, points: Sequence[Point] = ()) -> RunListRow:
    """A run as a row. points: the run's history, for its sparkline."""
    said, state = run.headline, run.state
    kind = said.verdict if said else VerdictKind.NO_DATA
    return RunListRow(
        run_id=run.run_id,
        short_id=shown.short_id(run.run_id),
        created_at_epoch_s=run.created_at_epoch_s,
        by=starter(run.started_by),
        target=run.target_url,
        plan=f"{shown.count(run.users)} users, {shown.span(run.duration_s)}",
        source=run.source.value,
        source_text=run.source.traits.label,
        kind=kind.value,
        verdict=VERDICTS[kind] if state.active or kind is not VerdictKind.NO_DATA else "No data",
        score=shown.score(said.score if said else None),
        grade=(said.grade or "") if said else "",
        requests=shown.count(said.requests if said else None),
        state=state.value,
        state_text=STATES[state],
        active=state.active,
        message=run.message,
        spark=sparkline(points),
        baseline=run.baseline,
        baseline_hint=run.baseline or _host(run.target_url),
        problem=run.unreadable or ("Not stored yet" if run.not_stored else ""),
        waits=run.not_stored != "",
    )


def part_text(first: int, rows: int, total: int) -> str:
    """Which part of the list is shown. first: place of the first row, from 0."""
    return f"{shown.count(first + 1)}–{shown.count(first + rows)} of {shown.count(total)}" if rows else ""


def _host(target_url: str) -> str:
    return urlsplit(target_url).hostname or target_url.partition("?")[0]
