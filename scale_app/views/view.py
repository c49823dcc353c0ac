"""What the page shows of one run: the snapshot's figures as text, and pictures. Nothing is computed here.

Every field is a plain string, number or list, so that the page's state carries no numpy value and no NaN.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scale_app.domain.verdict import VerdictKind

MOST_LABELS = 16
"""Pods that a picture has room to name."""


@dataclass(frozen=True)
class AxisTick:
    """at: a CSS length from the left or the bottom."""

    at: str
    label: str


@dataclass(frozen=True)
class BarLabel:
    """Name and value of one bar. left, bottom: CSS lengths; outlier: "" or "over" or "under"."""

    name: str
    value: str
    left: str
    bottom: str
    outlier: str


@dataclass(frozen=True)
class Happening:
    """Something that happened. at: a time in lists, a CSS length from the left on a time axis; tone: "" or "bad"."""

    at: str
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Heat:
    """Pods by time. image: a data URI, "" without data; width: CSS length, of the time axis.

    names: beside its rows, none when there are too many. rows: all of them to be read out, one a line: a name, and
    after a tab how many more pods the row stands for.
    """

    image: str = ""
    width: str = "0%"
    names: list[str] = field(default_factory=list)
    rows: str = ""
    caption: str = ""
    summary: str = ""


@dataclass(frozen=True)
class ErrorRow:
    cause: str
    requests: str


@dataclass(frozen=True)
class Shares:
    even: str = ""
    over: str = ""
    under: str = ""
    fair: str = ""
    band: str = ""
    ticks: list[AxisTick] = field(default_factory=list)
    labels: list[BarLabel] = field(default_factory=list)
    caption: str = ""
    summary: str = ""


@dataclass(frozen=True)
class Times:
    """Paths and marks. span_s: of the time axis; rate_top (requests/s), latency_top (ms): upper ends of the others."""

    score: str = ""
    score_area: str = ""
    recent_score: str = ""
    requests: str = ""
    requests_area: str = ""
    failures: str = ""
    p50: str = ""
    p95: str = ""
    p99: str = ""
    events: str = ""
    alerts: str = ""
    marks: list[Happening] = field(default_factory=list)
    times: list[AxisTick] = field(default_factory=list)
    rates: list[AxisTick] = field(default_factory=list)
    latencies: list[AxisTick] = field(default_factory=list)
    span_s: str = "1"
    rate_top: str = "1"
    latency_top: str = "1"


@dataclass(frozen=True)
class HeadlineFigures:
    """The headline. gauge: a path; dot, low, width, chance: CSS lengths on the scale from 0 to 1, "" when unknown.

    kind_text: the verdict in a word; says: its sentence without that word, and without what would decide, which is
    `prospect`, "" when it is decided. toward_percent: how far the picks are on the way to that, 0 when that is open.
    """

    score: str = "–"
    grade: str = ""
    gauge: str = ""
    gauge_label: str = "No score yet"
    kind: str = VerdictKind.NO_DATA.value
    kind_text: str = "No data"
    sentence: str = ""
    requests: str = "–"
    requests_note: str = ""
    cv: str = "–"
    cv_note: str = ""
    p95: str = "–"
    p95_note: str = ""
    failures: str = "–"
    failures_note: str = ""
    rate: str = "–"
    rate_note: str = ""
    dot: str = ""
    low: str = ""
    width: str = ""
    chance: str = ""
    chance_text: str = ""
    interval_text: str = ""
    interval_name: str = "95 % interval, chance removed"
    interval_sure: str = " with 95 % confidence"
    says: str = ""
    prospect: str = ""
    toward_percent: int = 0


@dataclass(frozen=True)
class RunProgress:
    elapsed: str = "0:00"
    total: str = "0:00"
    remaining: str = ""
    percent: int = 0


@dataclass(frozen=True)
class PlanLine:
    label: str
    value: str


@dataclass(frozen=True)
class AlertRow:
    """An alert that is on, or was to the end. title: what it is about, and since when; message: "" if the verdict says
    the same."""

    title: str
    message: str


@dataclass(frozen=True)
class FindingRow:
    """One cause that fits. certainty: the domain's word; certainty_text: how it is shown; patch: YAML or ""."""

    code: str
    title: str
    certainty: str
    certainty_text: str
    cause: str
    evidence: str
    remedy: str
    patch: str


@dataclass(frozen=True)
class Sequel:
    """What can follow an ended run, or what it was the sequel of.

    reason: why a second run would decide, "" when none would; plan: what that would send, and for how long. first_id:
    the run that this one was to decide, else "".
    """

    reason: str = ""
    plan: str = ""
    first_id: str = ""
    conclusion: str = ""
    sentence: str = ""
    compare_href: str = ""


@dataclass(frozen=True)
class CheckRow:
    """One threshold of an ended run's plan. outcome: the domain's word."""

    name: str
    outcome: str
    outcome_text: str
    sentence: str


@dataclass(frozen=True)
class OtherRun:
    """A run that sends load beside the one that is shown."""

    run_id: str
    text: str


@dataclass(frozen=True)
class RunView:
    """One run at one moment. run_id is "" when there is no run to show.

    brief: its plan in a line. short_id: the beginning of its id, which is enough to find it.
    generator: why the load generator itself limits what is measured, "" when it does not.
    pods: all of them, as pods_sent says; pictures/pod_table.js draws them.
    """

    run_id: str = ""
    short_id: str = ""
    target: str = ""
    brief: str = ""
    state: str = ""
    state_text: str = ""
    active: bool = False
    source: str = ""
    source_text: str = ""
    source_note: str = ""
    counting: str = ""
    message: str = ""
    alerts: list[AlertRow] = field(default_factory=list)
    when: str = ""
    title: str = "Scale"
    has_data: bool = False
    figures: HeadlineFigures = field(default_factory=HeadlineFigures)
    progress: RunProgress = field(default_factory=RunProgress)
    findings: list[FindingRow] = field(default_factory=list)
    findings_note: str = ""
    shares: Shares = field(default_factory=Shares)
    times: Times = field(default_factory=Times)
    heat: Heat = field(default_factory=Heat)
    generator: str = ""
    pods: str = ""
    pods_note: str = ""
    errors: list[ErrorRow] = field(default_factory=list)
    errors_note: str = ""
    plan: list[PlanLine] = field(default_factory=list)
    happened: list[Happening] = field(default_factory=list)


NOTHING = RunView()
NO_SEQUEL = Sequel()
