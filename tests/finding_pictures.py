"""The pictures of docs/findings.md: for each cause a run that showed it, drawn by the product.

`python -m tests.finding_pictures` makes those of the demo anew, by real runs of some seconds. Those of causes that need
a cluster or a proxy are simulated: their counts are invented, what is drawn and said of them is the product's own.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import textwrap
from dataclasses import dataclass
from html import escape
from pathlib import Path

from scale_app.domain.findings import CAUSES, diagnose
from scale_app.domain.findings.facts import Cause
from scale_app.domain.snapshot import Finding, PodShare
from scale_app.pictures.axes import SIDE
from scale_app.pictures.balance import shares_picture
from scale_app.views import format as shown
from tests.explaining import CHART, LEFT, STYLE, TOP, WIDTH
from tests.integration.test_findings import FAULTY, Scene, play
from tests.unit.domain.findings.test_findings import FIRES

FOLDER = Path(__file__).parents[1] / "docs/pictures/findings"
LINE = 96
"""Characters of a line of evidence."""
SETTINGS = {
    "pods_not_named": "plan: `pod_header: X-Instance`, which nobody sends",
    "generator_limit": "a generator that used a core up",
    "silent_pod": "a ready pod whose packets are dropped",
    "headless": "Service: `clusterIP: None`",
    "session_affinity": "Service: `sessionAffinity: ClientIP`",
    "internal_traffic_policy": "Service: `internalTrafficPolicy: Local`",
    "external_traffic_policy": "Service: `externalTrafficPolicy: Local`, entered at one node's port",
    "topology": "Service: `trafficDistribution: PreferSameNode`",
    "node_local": "a policy or preference that Scale may not read",
    "uneven_places": "load balancer of two nodes, one pod on the one and two on the other",
    "weighted_zones": "proxy: weights 3 and 1 for a zone of two pods and one of three",
    "single_source": "proxy: hash of the client's address",
    "unequal_weights": "balancer: weight 4 for one pod",
    "layer7_ejected": "proxy: outlier detection, and a pod that fails",
    "layer7_left_out": "proxy: a subset of the pods",
    "layer7_weights": "proxy: weights 4:3:3:3:3",
    "late_pods": "keep-alive, scaled from 5 to 8 pods in mid-run",
    "taken_up_late": "a new connection every few requests, scaled up, a proxy that reads its list of pods seldom",
    "slow_start": "proxy: slow start of 24 s, scaled up in mid-run",
    "unready_pods": "a pod that was killed",
    "failing_magnet": "least connections, and a pod that fails at once",
    "failing_pod": "a pod that fails",
    "overloaded_pod": "weight 4 for a pod that works on one request after the other",
    "slow_pod": "a pod that takes longer",
    "keep_alive_pinning": "keep-alive with 20 users",
    "too_few_connections": "2 users, half a second of think time",
    "foreign_traffic": "another client beside the run",
    "uneven_connections": "proxy at layer 4: pods preferred",
    "layer7_policy": "proxy: a hash ring with few points",
    "layer7": "proxy: round robin for each request, keep-alive",
}
"""{code: the setting of the run}"""


@dataclass(frozen=True, slots=True)
class Showing:
    """What is drawn. simulated: the counts are invented. noise_cv: of a fair random balancer, None where unknown."""

    finding: Finding
    pods: tuple[PodShare, ...]
    noise_cv: float | None
    simulated: bool


MEASURED = {scene.code: scene for scene in FAULTY}
SIMULATED = [cause.code for cause in CAUSES if cause.code not in MEASURED]


def simulated(code: str) -> Showing:
    """The first of the scenes that the tests of findings have for this cause."""
    facts = next(scene for named, _, _, scene in FIRES if named == code).facts()
    finding = next(each for each in diagnose(facts) if each.code == code)
    return Showing(finding, facts.rows, facts.figures.verdict.noise_cv, simulated=True)


async def measured(scene: Scene, folder: Path) -> Showing:
    """A real run of the demo. Raises AssertionError when it did not show its cause."""
    played = await play(scene, folder, asyncio.Lock())
    assert played.named, f"the run did not show {scene.code}"
    finding = next(each for each in played.named.findings if each.code == scene.code)
    return Showing(finding, played.named.pods, played.named.verdict.noise_cv, simulated=False)


def picture(showing: Showing) -> str:
    """An SVG file: the finding with its evidence, above each pod's share beside its fair share."""
    finding, drawn = showing.finding, shares_picture(showing.pods, showing.noise_cv)
    how = "simulated" if showing.simulated else "measured at the demo"
    wide, evidence = WIDTH - 2 * LEFT, textwrap.wrap(finding.evidence, LINE)
    top = TOP + 16 * len(evidence)
    paths = (("band", drawn.band), ("bars", drawn.even), ("bars-outlier", drawn.outliers), ("fair", drawn.fair))
    labels = [
        f'<text class="quiet" text-anchor="middle" x="{LEFT + wide * at / 100:.1f}" y="{top + CHART + 18}">'
        f"{shown.percent(pod.share)}</text>"
        for at, pod in zip(drawn.centres, showing.pods, strict=True)
    ]
    said = [
        f'<text class="quiet" x="{LEFT}" y="{46 + 16 * number}">{escape(line)}</text>'
        for number, line in enumerate(evidence)
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + CHART + 32}" role="img">',
            f"<title>{escape(finding.title)}: {escape(finding.evidence)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{top + CHART + 32}" rx="12" class="paper"/>',
            f'<text x="{LEFT}" y="26" font-weight="600">{escape(finding.title)}</text>',
            f'<text class="quiet" x="{WIDTH - LEFT}" y="26" text-anchor="end">{finding.certainty}, {how}</text>',
            *said,
            f'<svg x="{LEFT}" y="{top}" width="{wide}" height="{CHART}" viewBox="0 0 {SIDE} {SIDE}" '
            'preserveAspectRatio="none">',
            *(f'<path class="{look}" d="{d}" vector-effect="non-scaling-stroke"/>' for look, d in paths if d),
            "</svg>",
            *labels,
            "</svg>",
            "",
        )
    )


def sections() -> str:
    """Of each cause, in their order: the setting, the picture, and what can be put into a manifest, for the page."""
    return "\n".join(_section(cause) for cause in CAUSES)


def _section(cause: Cause) -> str:
    rows = (f"`{cause.code}`: {SETTINGS[cause.code]}", "---", f"![{cause.title}](pictures/findings/{cause.code}.svg)")
    patch = f"\n```yaml\n{cause.patch}```\n" if cause.patch else ""
    return "".join(f"| {row} |\n" for row in rows) + patch


async def _make(codes: list[str]) -> None:
    for code in codes:
        with tempfile.TemporaryDirectory() as folder:
            (FOLDER / f"{code}.svg").write_text(picture(await measured(MEASURED[code], Path(folder))))
        sys.stdout.write(f"{code}.svg\n")


if __name__ == "__main__":
    asyncio.run(_make(sys.argv[1:] or list(MEASURED)))
