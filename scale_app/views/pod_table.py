"""The table of pods: rows of plain texts, sorted as a reader wants them; of many pods the two ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from scale_app.domain.snapshot import PodShare
from scale_app.views import format as shown

MANY_PODS = 60
ENDS_OF_MANY = 20


@dataclass(frozen=True)
class PodColumn:
    """One column. value: what it is sorted by, None when unknown; text: what a cell says, given how many decimals
    shares have. look: classes of its cells; about: the key of what explains it, "" when nothing does.
    """

    head: str
    value: Callable[[PodShare], float | str | None]
    text: Callable[[PodShare, int], str]
    look: str = ""
    about: str = ""


def _state(pod: PodShare) -> str:
    if not pod.ready:
        return "Not ready"
    return {"over": "▲ Above fair", "under": "▼ Below fair", "": "Within chance"}[outlier_side(pod)]


def outlier_side(pod: PodShare) -> str:
    """ "over", "under" or "" for a pod within chance."""
    return ("over" if pod.against_fair > 0 else "under") if pod.outlier else ""


COLUMNS = {
    "name": PodColumn("Pod", lambda pod: pod.name, lambda pod, _: pod.name),
    "node": PodColumn("Node", lambda pod: pod.node or None, lambda pod, _: pod.node or shown.NONE, "wide"),
    "requests": PodColumn(
        "Requests", lambda pod: pod.requests, lambda pod, _: shown.count(pod.requests), "number narrow-off"
    ),
    "share": PodColumn("Share", lambda pod: pod.share, lambda pod, n: shown.percent(pod.share, n), about="share"),
    "against": PodColumn(
        "vs. fair share",
        lambda pod: pod.against_fair,
        lambda pod, _: shown.signed_percent(pod.against_fair),
        "number",
        "against_fair",
    ),
    "connections": PodColumn(
        "Connections",
        lambda pod: pod.connections,
        lambda pod, _: shown.count(pod.connections),
        "number wide",
        "connections",
    ),
    "rate": PodColumn(
        "Requests/s", lambda pod: pod.requests_per_s, lambda pod, _: shown.rate(pod.requests_per_s), "number wide"
    ),
    "p95": PodColumn("p95", lambda pod: pod.p95_ms, lambda pod, _: shown.milliseconds(pod.p95_ms), "number wide"),
    "failures": PodColumn("Failures", lambda pod: pod.failed, lambda pod, _: shown.count(pod.failed), "number wide"),
    "cpu": PodColumn(
        "CPU", lambda pod: pod.cpu_cores, lambda pod, _: shown.cores(pod.cpu_cores), "number wide cpu", "cpu"
    ),
    "state": PodColumn(
        "State", lambda pod: (not pod.ready) * 2.0 + pod.outlier, lambda pod, _: _state(pod), about="pod_state"
    ),
}
BAR, OUTLIER = len(COLUMNS), len(COLUMNS) + 1
"""Places in a row that is sent, after those of COLUMNS: see PodRow."""
TEXT_COLUMNS = ("name", "node")


@dataclass(frozen=True)
class PodRow:
    """One row: a text for each of COLUMNS. bar: CSS width of its share; outlier: "" or "over" or "under"."""

    name: str
    node: str
    requests: str
    share: str
    against: str
    connections: str
    rate: str
    p95: str
    failures: str
    cpu: str
    state: str
    bar: str
    outlier: str


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


def pod_table(
    pods: Sequence[PodShare], by: str = "name", descending: bool = False, roster_known: bool = True
) -> PodTableView:
    """The table, sorted by one of COLUMNS. Unknown values stand last in either direction.

    roster_known: which pods should share is known; False where these are those that answered.
    """
    value: Callable[[PodShare], Any] = COLUMNS[by].value
    known = sorted((pod for pod in pods if value(pod) is not None), key=value, reverse=descending)
    ordered = [*known, *(pod for pod in pods if value(pod) is None)]
    if len(ordered) > MANY_PODS:
        ordered = _ends(ordered, by)
    most = max((pod.share for pod in pods), default=0.0)
    decimals = share_decimals(len(pods))
    return PodTableView(
        rows=[_row(pod, most, decimals) for pod in ordered],
        note=_note(pods, by, roster_known),
        cpu=any(pod.cpu_cores is not None for pod in pods),
    )


def _ends(ordered: list[PodShare], by: str) -> list[PodShare]:
    """The first and the last in the order; by name, which says nothing, those of the order by share."""
    if by == "name":
        ordered = sorted(ordered, key=lambda pod: -pod.share)
    return ordered[:ENDS_OF_MANY] + ordered[-ENDS_OF_MANY:]


def share_decimals(pods: int) -> int:
    """Many pods have small shares, which need one decimal more to differ."""
    return 2 if pods > MANY_PODS else 1


def share_bar(share: float, most: float) -> str:
    """CSS width of its bar. most: the largest share."""
    return shown.css(100 * share / most if most > 0 else 0.0)


def _row(pod: PodShare, most: float, decimals: int) -> PodRow:
    return PodRow(
        **{name: column.text(pod, decimals) for name, column in COLUMNS.items()},
        bar=share_bar(pod.share, most),
        outlier=outlier_side(pod),
    )


def _note(pods: Sequence[PodShare], by: str, roster_known: bool) -> str:
    if not pods:
        return ""
    ready = f"{shown.count(len(pods))} that answered"
    if roster_known:
        ready = f"{shown.count(sum(pod.ready for pod in pods))} ready of {shown.count(len(pods))}"
    if len(pods) <= MANY_PODS:
        return ready
    if by in ("name", "share"):
        return f"{ready}; the {ENDS_OF_MANY} busiest and the {ENDS_OF_MANY} idlest are listed"
    return f"{ready}; the first {ENDS_OF_MANY} and the last {ENDS_OF_MANY} of this order are listed"
