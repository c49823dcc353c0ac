"""What diagnosis says about a run: one cause, how it shows in numbers, and what to change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Certainty = Literal["certain", "likely", "possible"]

MOST_PODS_NAMED = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One cause that fits the facts.

    code: stable name for programs. title: one line. cause, evidence: one sentence each, the latter with the numbers.
    certainty: "certain" when a setting or a counter says it, "likely" when the counts leave hardly anything else,
        "possible" when they merely fit.
    remedy: one or two sentences. patch: what to put into a manifest (YAML), "" when nothing there would help.
    pods: the pods concerned, at most MOST_PODS_NAMED of them.
    """

    code: str
    title: str
    cause: str
    evidence: str
    certainty: Certainty
    remedy: str
    patch: str = ""
    pods: tuple[str, ...] = ()
