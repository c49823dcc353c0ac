"""The stops of a slider: 1, 2, 3, 5, 7 per power of ten, so that one short slider reaches from 1 to 5,000."""

from __future__ import annotations

from collections.abc import Sequence

MANTISSAS = (1, 1.5, 2, 3, 5, 7)
DURATIONS_S = (5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600, 900, 1_200, 1_800, 2_700, 3_600, 7_200, 14_400)


def stops(most: float) -> list[float]:
    """Whole stops from 1 to `most`, both included."""
    found = [1.0]
    power = 1.0
    while power <= most:
        found += [m * power for m in MANTISSAS if 1 < m * power < most and (m * power).is_integer()]
        power *= 10
    return [*found, float(most)] if most > 1 else found


def duration_stops(most: float) -> list[float]:
    """Round lengths of time in seconds up to `most`, which is the last stop."""
    return [*(float(s) for s in DURATIONS_S if s < most), float(most)]


def nearest(all_stops: Sequence[float], value: float) -> int:
    """Index of the stop nearest to a value."""
    return min(range(len(all_stops)), key=lambda i: abs(all_stops[i] - value))
