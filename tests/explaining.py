"""The pictures of docs/explanation.md: made-up balancers, judged and drawn by the product itself."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np

from scale_app.domain.balance import balance
from scale_app.domain.chance import residuals
from scale_app.domain.snapshot import PodShare
from scale_app.domain.verdict import Verdict, judge
from scale_app.pictures.axes import SIDE
from scale_app.pictures.balance import scale_bar, shares_picture
from scale_app.views import format as shown

WIDTH, CHART, TOP, LEFT = 640, 200, 64, 20
STRIP_AT = TOP + CHART + 44
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1c2024; }
.quiet { fill: #60646c; font-size: 12px; }
.paper { fill: #fff; } .ink { fill: #1c2024; } .soft { fill: #60646c; } .track { fill: #e8e8ec; }
.dot { fill: #3e63dd; stroke: #fff; stroke-width: 2; }
.bars { fill: #3e63dd; } .bars-outlier { fill: #ffc53d; } .band { fill: #e8e8ec; }
.fair { stroke: #1c2024; stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
@media (prefers-color-scheme: dark) {
  text, .ink { fill: #edeef0; } .quiet, .soft { fill: #b0b4ba; } .paper { fill: #18191b; }
  .track, .band { fill: #363a3f; } .fair { stroke: #edeef0; } .dot { stroke: #18191b; }
}
"""


@dataclass(frozen=True)
class Scene:
    """Connections that a balancer with these weights shared out by chance, five requests on each."""

    title: str
    connections: int
    weights: tuple[float, ...] = (1, 1, 1, 1, 1)
    seed: int = 11

    def picks(self) -> list[int]:
        weights = np.array(self.weights) / sum(self.weights)
        return [int(n) for n in np.random.default_rng(self.seed).multinomial(self.connections, weights)]

    def verdict(self) -> Verdict:
        return judge([5 * n for n in self.picks()], {5: self.connections}, coverage=1.0)


SCENES = {
    "fair-50.svg": Scene("A fair balancer, 50 connections", 50),
    "fair-30000.svg": Scene("The same fair balancer, 30,000 connections", 30_000),
    "weighted-50.svg": Scene("One pod preferred by half, 50 connections", 50, (1.5, 1, 1, 1, 1)),
    "weighted-2000.svg": Scene("One pod preferred by half, 2,000 connections", 2_000, (1.5, 1, 1, 1, 1)),
}


def picture(scene: Scene) -> str:
    """An SVG file: shares with fair line and band of chance, score with its interval, the verdict."""
    picks, verdict = scene.picks(), scene.verdict()
    figures = balance([5 * n for n in picks])
    drawn = shares_picture(_pods(picks, verdict), verdict.noise_cv)
    bar = scale_bar(figures, verdict)
    wide = WIDTH - 2 * LEFT
    paths = (("band", drawn.band), ("bars", drawn.even), ("bars-outlier", drawn.outliers), ("fair", drawn.fair))
    labels = [
        f'<text class="quiet" text-anchor="middle" x="{LEFT + wide * at / 100:.1f}" y="{TOP + CHART + 18}">'
        f"{shown.percent(n / scene.connections)}</text>"
        for at, n in zip(drawn.centres, picks, strict=True)
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {STRIP_AT + 44}" role="img">',
            f"<title>{escape(scene.title)}: {escape(verdict.sentence)}</title>",
            f"<style>{STYLE}</style>",
            f'<rect width="{WIDTH}" height="{STRIP_AT + 44}" rx="12" class="paper"/>',
            f'<text x="{LEFT}" y="26" font-weight="600">{escape(scene.title)}: {verdict.kind.value.lower()}</text>',
            f'<text class="quiet" x="{LEFT}" y="46">score {shown.score(figures.score)}, '
            f"a fair random balancer would score {shown.score(verdict.noise_score)}</text>",
            f'<svg x="{LEFT}" y="{TOP}" width="{wide}" height="{CHART}" viewBox="0 0 {SIDE} {SIDE}" '
            'preserveAspectRatio="none">',
            *(f'<path class="{look}" d="{d}" vector-effect="non-scaling-stroke"/>' for look, d in paths if d),
            "</svg>",
            *labels,
            *_strip(bar.low, bar.high, bar.dot, bar.threshold, wide),
            "</svg>",
            "",
        )
    )


def _pods(picks: list[int], verdict: Verdict) -> list[PodShare]:
    total, fair = sum(picks), 1 / len(picks)
    z, outlier = residuals([5 * n for n in picks], [1.0] * len(picks), verdict.effective_picks or 0.0)
    return [
        PodShare(
            f"pod-{at}",
            "",
            True,
            5 * n,
            n / total,
            n / total / fair - 1,
            n,
            0.0,
            None,
            0,
            float(z[at]),
            bool(outlier[at]),
        )
        for at, n in enumerate(picks)
    ]


def _strip(low: float | None, high: float | None, dot: float | None, threshold: float, wide: int) -> tuple[str, ...]:
    def x(at: float | None) -> float:
        return LEFT + wide * (at or 0.0) / 100

    return (
        f'<rect x="{LEFT}" y="{STRIP_AT}" width="{wide}" height="6" rx="3" class="track"/>',
        f'<rect x="{x(low):.1f}" y="{STRIP_AT + 1}" width="{max(2.0, x(high) - x(low)):.1f}" height="4" class="ink"/>',
        f'<rect x="{x(threshold) - 1:.1f}" y="{STRIP_AT - 7}" width="2" height="20" class="soft"/>',
        f'<circle cx="{x(dot):.1f}" cy="{STRIP_AT + 3}" r="5" class="dot"/>',
        f'<text class="quiet" x="{LEFT}" y="{STRIP_AT + 26}">0</text>',
        f'<text class="quiet" x="{LEFT + wide}" y="{STRIP_AT + 26}" text-anchor="end">1</text>',
        f'<text class="quiet" x="{x(threshold):.1f}" y="{STRIP_AT + 26}" text-anchor="middle">0.95</text>',
    )
