"""The four verdicts."""

from __future__ import annotations

from enum import StrEnum


class VerdictKind(StrEnum):
    EVEN = "EVEN"
    UNEVEN = "UNEVEN"
    UNDECIDED = "UNDECIDED"
    NO_DATA = "NO_DATA"
