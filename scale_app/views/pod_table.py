"""The table of pods: its columns; rows of plain texts for reports; and what the page is sent of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise

from scale_app.domain.snapshot import PodShare, Snapshot
from scale_app.views import format as shown
from scale_app.views.pod_state import STATES, judged_pods, outlier_side, state_of

MANY_PODS = 60
NAMES_KEPT = 32


@dataclass(frozen=True)
class PodColumn:
    """One column. text: what a cell says, given how many decimals shares have; sent: its figure as the page gets it, ""
    when unknown or told by another column; form: how pictures/pod_table.js writes that. look: classes of its cells;
    about: the key of what explains it, "" when nothing does.
    """

    head: str
    text: Callable[[PodShare, int], str]
    sent: Callable[[PodShare], str]
    form: str = "count"
    look: str = "number wide"
    about: str = ""


def _thousandths(value: float | None) -> str:
    return str(round(value * 1_000)) if shown.known(value) else ""


def _milliseconds(value: float | None) -> str:
    return f"{value:.{1 if value < 10 else 0}f}" if shown.known(value) else ""


COLUMNS = {
    "name": PodColumn("Pod", lambda pod, _: pod.name, lambda pod: pod.name, "name", ""),
    "node": PodColumn("Node", lambda pod, _: pod.node or shown.NONE, lambda pod: pod.node, "node", "wide"),
    "requests": PodColumn(
        "Requests",
        lambda pod, _: shown.count(pod.requests),
        lambda pod: str(pod.requests),
        look="number narrow-off",
    ),
    "cpu": PodColumn(
        "CPU",
        lambda pod, _: shown.cores(pod.cpu_cores),
        lambda pod: _thousandths(pod.cpu_cores),
        "cores",
        "number wide cpu",
        "cpu",
    ),
    "share": PodColumn("Share", lambda pod, n: shown.percent(pod.share, n), lambda _: "", "share", "", "share"),
    "against": PodColumn(
        "vs. fair share",
        lambda pod, _: shown.signed_percent(pod.against_fair),
        lambda pod: _thousandths(pod.against_fair),
        "signed",
        "number",
        "against_fair",
    ),
    "connections": PodColumn(
        "Connections",
        lambda pod, _: shown.count(pod.connections),
        lambda pod: str(pod.connections),
        about="connections",
    ),
    "rate": PodColumn(
        "Requests/s",
        lambda pod, _: shown.rate(pod.requests_per_s),
        lambda pod: shown.rate(pod.requests_per_s).replace(",", ""),
    ),
    "p95": PodColumn("p95", lambda pod, _: shown.milliseconds(pod.p95_ms), lambda pod: _milliseconds(pod.p95_ms), "ms"),
    "failures": PodColumn("Failures", lambda pod, _: shown.count(pod.failed), lambda pod: str(pod.failed)),
    "state": PodColumn("State", lambda pod, _: STATES[state_of(pod)][1], state_of, "state", "", "pod_state"),
}


@dataclass(frozen=True)
class PodRow:
    """One row: a text for each of COLUMNS. bar: CSS width of its share; outlier: "" or "over" or "under"."""

    name: str
    node: str
    requests: str
    cpu: str
    share: str
    against: str
    connections: str
    rate: str
    p95: str
    failures: str
    state: str
    bar: str
    outlier: str


@dataclass(frozen=True)
class PodTableView:
    """cpu: whether any pod's CPU is known."""

    rows: list[PodRow] = field(default_factory=list)
    note: str = ""
    cpu: bool = False


def pod_table(snapshot: Snapshot | None) -> PodTableView:
    """All pods as a report lists them: by name, or the busiest first where there are many."""
    if snapshot is None:
        return PodTableView()
    pods = judged_pods(snapshot)
    most = max((pod.share for pod in pods), default=0.0)
    decimals = share_decimals(len(pods))
    return PodTableView(
        rows=[_row(pod, most, decimals) for pod in by_share_if_many(pods)],
        note=pods_note(snapshot),
        cpu=any(pod.cpu_cores is not None for pod in pods),
    )


def by_share_if_many(pods: Sequence[PodShare]) -> list[PodShare]:
    """In the cluster's order, or by share when there are too many to tell apart."""
    return sorted(pods, key=lambda pod: -pod.share) if len(pods) > MANY_PODS else list(pods)


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


def pods_note(snapshot: Snapshot) -> str:
    pods = snapshot.pods
    if not pods:
        return ""
    if not snapshot.roster_known:
        return f"{shown.count(len(pods))} that answered"
    return f"{shown.count(sum(pod.ready for pod in pods))} ready of {shown.count(len(pods))}"


def pods_sent(pods: Sequence[PodShare]) -> str:
    """All pods as short as can be, since it is sent each second to everybody: a line for each of COLUMNS, then one with
    the names of nodes. A pod's name is how many letters it has in common with the one before it, and the rest of it;
    its node is a place among the nodes. "" for no pod. Of pods of `judged_pods`.
    """
    if not pods:
        return ""
    names, places, nodes = _names_sent(tuple((pod.name, pod.node) for pod in pods))
    figures = [_line(column, pods) for name, column in COLUMNS.items() if name not in ("name", "node")]
    return "\n".join([names, places, *figures, nodes])


def _line(column: PodColumn, pods: Sequence[PodShare]) -> str:
    """The figures of a column, "" where none is known."""
    line = ",".join(map(column.sent, pods))
    return line.strip(",") and line


@lru_cache(maxsize=NAMES_KEPT)
def _names_sent(pods: tuple[tuple[str, str], ...]) -> tuple[str, str, str]:
    """Names, places of their nodes, and nodes: they change seldom."""
    names = [" ".join(name.split()) for name, _ in pods]
    same = [_alike(*pair) for pair in pairwise(["", *names])]
    nodes = {node: str(place) for place, node in enumerate(dict.fromkeys(" ".join(node.split()) for _, node in pods))}
    shortened = "\t".join(f"{begun} {name[begun:]}" for begun, name in zip(same, names, strict=True))
    return shortened, ",".join(nodes[" ".join(node.split())] for _, node in pods), "\t".join(nodes)


def _alike(one: str, other: str) -> int:
    """How many letters both begin with."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
