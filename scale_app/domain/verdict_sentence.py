"""The verdict in one sentence for people: short, with numbers they can check."""

from __future__ import annotations

import math

NO_REQUEST = "No data: no request has been answered by a pod."
ONE_POD = "Even: there is one pod, so nothing to share."


def poor_coverage(coverage: float, floor: float) -> str:
    """Too few answers named a pod. coverage, floor: 0..1."""
    return (
        f"No verdict: only {math.floor(coverage * 100)} % of answers named a pod, "
        f"and below {floor * 100:.0f} % the others could change it."
    )


def even(pods: int, score_low: float, beyond_chance: bool, regular: bool) -> str:
    """Every score of the interval is good. score_low: its lower end."""
    at_least = f"the score is at least {math.floor(score_low * 100 + 1e-9) / 100:.2f}"
    whom = "both pods" if pods == 2 else f"all {pods:,} pods"
    if regular:
        return f"More even than chance: {whom} get their fair share (round robin or least connections); {at_least}."
    if beyond_chance:
        return f"Even: the pods differ by more than chance, but by too little to matter; {at_least}."
    return f"Even: {whom} are within chance of their fair share; {at_least} with 95 % confidence."


def uneven(part: float, fair: float, p: float) -> str:
    """The pod that is furthest from its share. part, fair: of all requests, 0..1."""
    which = "hottest" if part > fair else "coldest"
    got, due = percents(part, fair)
    chance = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"Uneven: the {which} pod gets {got} instead of {due}, more than chance explains ({chance})."


def undecided(picks: int, unit: str, noise_score: float, more: int | None, if_even: bool) -> str:
    """unit: "connection" or "request". more: further ones that would decide, None when none would; if_even: so many
    if the work is shared evenly."""
    start = f"Undecided after {count(picks, unit)}: chance alone would give a score near {noise_score:.2f}"
    return f"{start}; {_further(unit, more, if_even)}"


def undecided_regular(picks: int, unit: str, more: int | None) -> str:
    """The same of picks that are spread more evenly than chance."""
    start = f"Undecided after {count(picks, unit)}: they are spread more evenly than chance"
    return f"{start} (round robin or least connections); {_further(unit, more, if_even=False)}"


def _further(unit: str, more: int | None, if_even: bool) -> str:
    if more is None:
        return f"the score is so near 0.95 that more {unit}s will hardly decide."
    if if_even:
        return f"about {count(rounded(more), f'more {unit}')} would decide if it is even, fewer if it is not."
    return f"about {count(rounded(more), f'more {unit}')} would decide."


def count(number: int, unit: str) -> str:
    """So many of a unit, in the right number."""
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"


def rounded(number: int) -> int:
    """To three significant digits: an estimate should look like one."""
    return round(number, 3 - len(str(number))) if number >= 1000 else number


def percents(part: float, fair: float) -> tuple[str, str]:
    """Two shares as percentages with as few digits as tell them apart."""
    for digits in (2, 3, 4, 5):
        got, due = _percent(part, digits), _percent(fair, digits)
        if got != due:
            break
    return got, due


def _percent(share: float, digits: int) -> str:
    value = share * 100
    if 0 < value < 0.001:
        return "under 0.001 %"
    decimals = 0 if value == 0 else max(0, digits - 1 - math.floor(math.log10(value)))
    text = f"{value:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"
