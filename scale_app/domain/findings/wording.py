"""Figures in evidence sentences: the same words for the same thing in every finding."""

from __future__ import annotations

from collections.abc import Sequence

from scale_app.domain.verdict_sentence import count


def percent(share: float) -> str:
    """A share (0..1) as people read it."""
    return f"{share * 100:.0f} %" if share >= 0.1 or share == 0 else f"{share * 100:.2g} %"


def milliseconds(latency_ms: float) -> str:
    """A latency with three significant digits at most."""
    return f"{latency_ms:,.0f} ms" if latency_ms >= 100 else f"{latency_ms:.3g} ms"


def pods(names: Sequence[str]) -> str:
    """Names, or how many there are when they would fill the line."""
    return " and ".join(names) if 0 < len(names) <= 2 else count(len(names), "pod")
