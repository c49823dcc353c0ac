"""Runs side by side as the page shows them: the domain's comparisons with one reference, as text and bars. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from string import ascii_uppercase

from scale_app.domain.balance import THRESHOLD
from scale_app.domain.compare import Comparison
from scale_app.domain.experiment import Experiment
from scale_app.domain.record import RunRecord
from scale_app.views import format as shown
from scale_app.views.plan_fields import PLAN_LABELS, setting_text
from scale_app.views.pod_state import judged_pods, outlier_side
from scale_app.views.pod_table import share_bar, share_decimals
from scale_app.views.presenting import figures, plan_in_short
from scale_app.views.view import AxisTick, HeadlineFigures, Sequel
from scale_app.views.words import CHANGES

MOST_RUNS = 8
MOST_PODS = 200
SCALE_STARTS = (0.9, 0.8, 0.6, 0.4, 0.2, 0.0)


@dataclass(frozen=True)
class ComparedRun:
    """One of the runs. dot, low, width: CSS lengths on the scale that all share, "" where unknown.

    The rest is against the reference and empty for the reference itself. changed: the domain's word, "" when it
    cannot be said. make_reference: the address of the comparison with this run as the reference.
    """

    label: str = ""
    run_id: str = ""
    created_at_epoch_s: float = 0.0
    target: str = ""
    baseline: str = ""
    source: str = ""
    source_text: str = ""
    is_reference: bool = False
    figures: HeadlineFigures = field(default_factory=HeadlineFigures)
    dot: str = ""
    low: str = ""
    width: str = ""
    changed: str = ""
    changed_text: str = ""
    difference: str = ""
    sentence: str = ""
    make_reference: str = ""


@dataclass(frozen=True)
class CompareCell:
    """A figure of one run. bar: its CSS width where the figures are shares; outlier: "" or "over" or "under"."""

    text: str
    bar: str = ""
    outlier: str = ""


@dataclass(frozen=True)
class CompareRow:
    """One figure of all runs, in the order of the sides."""

    name: str
    cells: list[CompareCell] = field(default_factory=list)


@dataclass(frozen=True)
class CompareView:
    """The comparison; sides is empty when there is none to show, else the reference is the first."""

    title: str = ""
    sentence: str = ""
    conclusion: str = ""
    comparable: bool = False
    remarks: list[str] = field(default_factory=list)
    sides: list[ComparedRun] = field(default_factory=list)
    ticks: list[AxisTick] = field(default_factory=list)
    threshold: str = ""
    pods: list[CompareRow] = field(default_factory=list)
    pods_note: str = ""
    latency: list[CompareRow] = field(default_factory=list)
    plan: list[CompareRow] = field(default_factory=list)


NO_COMPARISON = CompareView()


def compare_href(*run_ids: str) -> str:
    """The address of a comparison; the first run is the reference."""
    return f"/compare?ids={','.join(run_ids)}"


def sequel_of(record: RunRecord, planned: Experiment | None, compared: Comparison | None) -> Sequel:
    """What can follow a run, or what it decided. compared: the first run against this one, once it has ended."""
    return Sequel(
        reason=shown.prose(planned.reason) if planned else "",
        plan=plan_in_short(planned.plan) if planned else "",
        first_id=record.experiment_of,
        conclusion=compared.conclusion if compared else "",
        sentence=compared.sentence if compared else "",
        compare_href=compare_href(record.experiment_of, record.run_id) if compared else "",
    )


def compare_view(reference: RunRecord, others: Sequence[tuple[RunRecord, Comparison]]) -> CompareView:
    """The whole page. others: at least one run, each with its comparison with the reference."""
    records = [reference, *[record for record, _ in others]]
    comparisons = [comparison for _, comparison in others]
    scale = _ScoreScale.of(records)
    by_rank = any(comparison.pods_by == "rank" for comparison in comparisons)
    pods = _pod_rows(records, comparisons, by_rank)
    letters = {record.run_id: label for record, label in zip(records, ascii_uppercase, strict=False)}
    return CompareView(
        title=f"{shown.count(len(records))} runs compared" if len(records) > 2 else "Two runs compared",
        sentence=_lettered(comparisons[0].sentence, letters) if len(comparisons) == 1 else "",
        conclusion=" ".join(comparison.conclusion for comparison in comparisons if comparison.conclusion),
        comparable=any(comparison.comparable for comparison in comparisons),
        remarks=_remarks(comparisons),
        sides=[_side(records, place, scale, each, letters) for place, each in enumerate([None, *comparisons])],
        ticks=scale.ticks(),
        threshold=scale.at(THRESHOLD),
        pods=pods[:MOST_PODS],
        pods_note=_pods_note(len(pods), by_rank),
        latency=_latency_rows(comparisons),
        plan=_plan_rows(comparisons),
    )


def _remarks(comparisons: Sequence[Comparison]) -> list[str]:
    """What to keep in mind; of several comparisons, with the letter of the run that it is about."""
    several = len(comparisons) > 1
    return [
        f"{ascii_uppercase[place]}: {note}" if several else note
        for place, comparison in enumerate(comparisons, 1)
        for note in comparison.notes
    ]


@dataclass(frozen=True, slots=True)
class _ScoreScale:
    """The scores from `least` to 1 on one line: zoomed in where all runs lie close together."""

    least: float

    @classmethod
    def of(cls, records: Sequence[RunRecord]) -> _ScoreScale:
        lasts = [record.last for record in records if record.last]
        scores = [score for last in lasts for score in (last.balance.score, last.verdict.score_low)]
        lowest = min([THRESHOLD, *(score for score in scores if score is not None)])
        return cls(next((start for start in SCALE_STARTS if start < lowest), 0.0))

    def at(self, score: float | None) -> str:
        return "" if score is None else shown.css(100 * self._part(score))

    def width(self, low: float | None, high: float | None) -> str:
        return "" if low is None or high is None else shown.css(100 * (self._part(high) - self._part(low)))

    def ticks(self) -> list[AxisTick]:
        steps = [self.least + (1 - self.least) * part / 4 for part in range(5)]
        return [AxisTick(self.at(step), f"{step:.3g}") for step in steps]

    def _part(self, score: float) -> float:
        return min(max((score - self.least) / (1 - self.least), 0.0), 1.0)


def _lettered(text: str, letters: Mapping[str, str]) -> str:
    """A sentence of the domain with the letters that the page gives the runs, in place of their ids."""
    for run_id, letter in letters.items():
        text = text.replace(run_id, letter)
    return shown.prose(text)


def _side(
    records: Sequence[RunRecord],
    place: int,
    scale: _ScoreScale,
    compared: Comparison | None,
    letters: Mapping[str, str],
) -> ComparedRun:
    record = records[place]
    last = record.last
    low, high = (last.verdict.score_low, last.verdict.score_high) if last else (None, None)
    side = ComparedRun(
        label=ascii_uppercase[place],
        run_id=record.run_id,
        created_at_epoch_s=record.created_at_epoch_s,
        target=record.plan.target_url,
        baseline=record.baseline,
        source=record.source.value,
        source_text=record.source.traits.label,
        is_reference=compared is None,
        figures=figures(last) if last else HeadlineFigures(),
        dot=scale.at(last.balance.score if last else None),
        low=scale.at(low),
        width=scale.width(low, high),
        make_reference=compare_href(record.run_id, *[other.run_id for other in records if other is not record]),
    )
    return side if compared is None else _against_reference(side, compared, letters)


def _against_reference(side: ComparedRun, compared: Comparison, letters: Mapping[str, str]) -> ComparedRun:
    low, high = shown.signed_ratio(compared.difference_low), shown.signed_ratio(compared.difference_high)
    known = compared.difference is not None
    return replace(
        side,
        changed=compared.changed.name if compared.changed else "",
        changed_text=CHANGES[compared.changed] if compared.changed else "Not comparable",
        difference=f"{shown.signed_ratio(compared.difference)} ({low} to {high})" if known else "",
        sentence=_lettered(compared.sentence, letters),
    )


def _pod_rows(records: Sequence[RunRecord], comparisons: Sequence[Comparison], by_rank: bool) -> list[CompareRow]:
    """Every pod's share in each run, by name; or every rank's, when pods were replaced between the runs."""
    columns = _ranked(comparisons) if by_rank else _named(comparisons)
    names = list(dict.fromkeys(name for column in columns for name in column))
    most = max((share for column in columns for share in column.values()), default=0.0)
    decimals = share_decimals(len(names))
    sides = [{} if by_rank else _outliers(record) for record in records]
    each = list(zip(columns, sides, strict=True))
    return [
        CompareRow(name, [_share(column.get(name), most, decimals, side.get(name, "")) for column, side in each])
        for name in (names if by_rank else sorted(names))
    ]


def _named(comparisons: Sequence[Comparison]) -> list[dict[str, float]]:
    pairs = [pair for comparison in comparisons for pair in comparison.pods]
    reference = {pair.first_name: pair.first_share for pair in pairs if pair.first_share is not None}
    others = [
        {pair.second_name: pair.second_share for pair in comparison.pods if pair.second_share is not None}
        for comparison in comparisons
    ]
    return [reference, *others]


def _ranked(comparisons: Sequence[Comparison]) -> list[dict[str, float]]:
    return [
        {f"Rank {rank}": share for rank, share in enumerate(sorted(column.values(), reverse=True), 1)}
        for column in _named(comparisons)
    ]


def _outliers(record: RunRecord) -> dict[str, str]:
    return {pod.name: outlier_side(pod) for pod in judged_pods(record.last)} if record.last else {}


def _share(share: float | None, most: float, decimals: int, outlier: str) -> CompareCell:
    return CompareCell(
        shown.percent(share, decimals), share_bar(share or 0.0, most), outlier if share is not None else ""
    )


def _pods_note(count: int, by_rank: bool) -> str:
    order = "Ordered by share, because pods were replaced between the runs" if by_rank else ""
    return f"The first {MOST_PODS} of {shown.count(count)}" if count > MOST_PODS else order


def _latency_rows(comparisons: Sequence[Comparison]) -> list[CompareRow]:
    told = next((comparison.latency for comparison in comparisons if comparison.latency), ())
    reference = {pair.percentile: pair.first_ms for pair in told}
    others = [{pair.percentile: pair.second_ms for pair in comparison.latency} for comparison in comparisons]
    return [
        CompareRow(percentile, [CompareCell(shown.milliseconds(side.get(percentile))) for side in (reference, *others)])
        for percentile in reference
    ]


def _plan_rows(comparisons: Sequence[Comparison]) -> list[CompareRow]:
    """The fields of the plan in which any run differs from the reference."""
    reference = {d.field: d.first for comparison in comparisons for d in comparison.plan}
    others = [{d.field: d.second for d in comparison.plan} for comparison in comparisons]
    order = {name: place for place, name in enumerate(PLAN_LABELS)}
    return [
        CompareRow(
            PLAN_LABELS.get(name, name),
            [CompareCell(setting_text(name, side.get(name, reference[name]))) for side in (reference, *others)],
        )
        for name in sorted(reference, key=lambda name: order.get(name, len(order)))
    ]
