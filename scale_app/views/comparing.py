"""Two runs side by side as the page shows them: the domain's comparison as text and bars. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from scale_app.domain.compare import Comparison, PodPair
from scale_app.domain.experiment import Experiment
from scale_app.domain.run import RunRecord
from scale_app.views import format as shown
from scale_app.views.presenting import figures, share_decimals
from scale_app.views.view import Figures, Sequel
from scale_app.views.words import CHANGES, PLAN_FIELDS

MOST_PODS = 200


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    label: str = ""
    run_id: str = ""
    when: str = ""
    target: str = ""
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True)
class PairRow:
    """A figure of both runs. first_bar, second_bar: CSS widths where the figures are shares."""

    name: str
    first: str
    second: str
    first_bar: str = ""
    second_bar: str = ""


@dataclass(frozen=True)
class CompareView:
    """The comparison; sides is empty when there is none to show."""

    sentence: str = ""
    conclusion: str = ""
    comparable: bool = False
    changed: str = ""
    changed_text: str = ""
    remarks: list[str] = field(default_factory=list)
    sides: list[Side] = field(default_factory=list)
    pods: list[PairRow] = field(default_factory=list)
    pods_note: str = ""
    latency: list[PairRow] = field(default_factory=list)
    plan: list[PairRow] = field(default_factory=list)


NO_COMPARISON = CompareView()


def compare_href(first_id: str, second_id: str) -> str:
    """The address of a comparison."""
    return f"/compare?ids={first_id},{second_id}"


def sequel_of(record: RunRecord, planned: Experiment | None, compared: Comparison | None) -> Sequel:
    """What can follow a run, or what it decided. compared: the first run against this one, once it has ended."""
    return Sequel(
        reason=planned.reason if planned else "",
        first_id=record.experiment_of,
        conclusion=compared.conclusion if compared else "",
        sentence=compared.sentence if compared else "",
        compare_href=compare_href(record.experiment_of, record.run_id) if compared else "",
    )


def compare_view(comparison: Comparison, first: RunRecord, second: RunRecord) -> CompareView:
    """The whole page of a comparison."""
    changed = comparison.changed
    return CompareView(
        sentence=comparison.sentence,
        conclusion=comparison.conclusion,
        comparable=comparison.comparable,
        changed=changed.name if changed else "",
        changed_text=CHANGES[changed] if changed else "Not comparable",
        remarks=list(comparison.notes),
        sides=[_side("First run", first), _side("Second run", second)],
        pods=_pod_rows(comparison),
        pods_note=_pods_note(comparison),
        latency=[
            PairRow(pair.percentile, shown.milliseconds(pair.first_ms), shown.milliseconds(pair.second_ms))
            for pair in comparison.latency
        ],
        plan=[PairRow(PLAN_FIELDS.get(d.field, d.field), d.first, d.second) for d in comparison.plan],
    )


def _side(label: str, record: RunRecord) -> Side:
    return Side(
        label=label,
        run_id=record.run_id,
        when=shown.moment(record.created_at_epoch_s),
        target=record.plan.target_url,
        figures=figures(record.last) if record.last else Figures(),
    )


def _pod_rows(comparison: Comparison) -> list[PairRow]:
    pairs = comparison.pods
    most = max((share for pair in pairs for share in (pair.first_share, pair.second_share) if share), default=0.0)
    decimals = share_decimals(len(pairs))
    return [
        PairRow(
            name=_name(pair, rank, comparison.pods_by == "rank"),
            first=shown.percent(pair.first_share, decimals),
            second=shown.percent(pair.second_share, decimals),
            first_bar=_bar(pair.first_share, most),
            second_bar=_bar(pair.second_share, most),
        )
        for rank, pair in enumerate(pairs[:MOST_PODS], 1)
    ]


def _name(pair: PodPair, rank: int, by_rank: bool) -> str:
    return f"Rank {rank}" if by_rank else pair.first_name or pair.second_name


def _bar(share: float | None, most: float) -> str:
    return f"{100 * (share or 0.0) / most if most > 0 else 0.0:.2f}%"


def _pods_note(comparison: Comparison) -> str:
    count = len(comparison.pods)
    if count > MOST_PODS:
        return f"The first {MOST_PODS} of {shown.count(count)}"
    return "The busiest first" if comparison.pods_by == "rank" else ""
