"""The table of pods: rows of plain texts, sorted as a reader wants them; of many pods the two ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Literal, get_args

from scale_app.domain.snapshot import PodShare
from scale_app.views import format as shown
from scale_app.views.view import PodRow

MANY_PODS = 60
ENDS_OF_MANY = 20

Column = Literal[
    "name", "node", "requests", "share", "against", "connections", "rate", "p95", "failures", "cpu", "state"
]
COLUMNS: tuple[Column, ...] = get_args(Column)
BAR, OUTLIER = len(COLUMNS), len(COLUMNS) + 1
"""Places in a row that is sent, after those of COLUMNS: see PodRow."""


_PLACES = tuple(each.name for each in fields(PodRow))


@dataclass(frozen=True)
class PodTableView:
    """cpu: whether any pod's CPU is known."""

    rows: list[PodRow] = field(default_factory=list)
    note: str = ""
    cpu: bool = False

    def plain(self) -> list[list[str]]:
        """The rows as they are sent: a list for a row costs a fifth of what an object would."""
        return [[getattr(row, place) for place in _PLACES] for row in self.rows]


_VALUES: dict[Column, Callable[[PodShare], tuple[bool, float | str]]] = {
    "name": lambda pod: (True, pod.name),
    "node": lambda pod: (bool(pod.node), pod.node),
    "requests": lambda pod: (True, pod.requests),
    "share": lambda pod: (True, pod.share),
    "against": lambda pod: (True, pod.against_fair),
    "connections": lambda pod: (True, pod.connections),
    "rate": lambda pod: (True, pod.requests_per_s),
    "p95": lambda pod: (pod.p95_ms is not None, pod.p95_ms or 0.0),
    "failures": lambda pod: (True, pod.failures),
    "cpu": lambda pod: (pod.cpu_cores is not None, pod.cpu_cores or 0.0),
    "state": lambda pod: (True, (not pod.ready) * 2.0 + pod.outlier),
}
"""What a column is sorted by: whether it is known, and the value."""


def pod_table(pods: Sequence[PodShare], by: Column = "name", descending: bool = False) -> PodTableView:
    """The table, sorted. Unknown values stand last in either direction."""
    value = _VALUES[by]
    known = sorted((pod for pod in pods if value(pod)[0]), key=lambda pod: value(pod)[1], reverse=descending)
    ordered = [*known, *(pod for pod in pods if not value(pod)[0])]
    if len(ordered) > MANY_PODS:
        ordered = _ends(ordered, by)
    most = max((pod.share for pod in pods), default=0.0)
    decimals = share_decimals(len(pods))
    return PodTableView(
        rows=[_row(pod, most, decimals) for pod in ordered],
        note=_note(pods, by),
        cpu=any(pod.cpu_cores is not None for pod in pods),
    )


def _ends(ordered: list[PodShare], by: Column) -> list[PodShare]:
    """The first and the last in the order; by name, which says nothing, those of the order by share."""
    if by == "name":
        ordered = sorted(ordered, key=lambda pod: -pod.share)
    return ordered[:ENDS_OF_MANY] + ordered[-ENDS_OF_MANY:]


def share_decimals(pods: int) -> int:
    """Many pods have small shares, which need one decimal more to differ."""
    return 2 if pods > MANY_PODS else 1


def _row(pod: PodShare, most: float, decimals: int) -> PodRow:
    return PodRow(
        name=pod.name,
        node=pod.node or shown.NONE,
        requests=shown.count(pod.requests),
        share=shown.percent(pod.share, decimals),
        against=shown.signed_percent(pod.against_fair),
        connections=shown.count(pod.connections),
        rate=shown.rate(pod.requests_per_s),
        p95=shown.milliseconds(pod.p95_ms),
        failures=shown.count(pod.failures),
        cpu=shown.cores(pod.cpu_cores),
        state=_state(pod),
        bar=f"{100 * pod.share / most if most > 0 else 0.0:.2f}%",
        outlier=outlier_side(pod),
    )


def outlier_side(pod: PodShare) -> str:
    """ "over", "under" or "" for a pod within chance."""
    return ("over" if pod.against_fair > 0 else "under") if pod.outlier else ""


def _state(pod: PodShare) -> str:
    if not pod.ready:
        return "Not ready"
    return {"over": "▲ Over-used", "under": "▼ Under-used", "": "Within chance"}[outlier_side(pod)]


def _note(pods: Sequence[PodShare], by: Column) -> str:
    if not pods:
        return ""
    ready = f"{shown.count(sum(pod.ready for pod in pods))} ready of {shown.count(len(pods))}"
    if len(pods) <= MANY_PODS:
        return ready
    if by in ("name", "share"):
        return f"{ready}; the {ENDS_OF_MANY} busiest and the {ENDS_OF_MANY} idlest are listed"
    return f"{ready}; the first {ENDS_OF_MANY} and the last {ENDS_OF_MANY} of this order are listed"
