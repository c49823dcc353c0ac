"""What is a number; numpy and scipy.special, loaded when first used; a finder of roots that needs no more of scipy.

Commands that judge nothing, and a server at which nobody has started a run, need neither: numpy takes an eighth of a
second of CPU to load, scipy.special a quarter of a second and 25 MB.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Array", "crossing", "is_number", "load", "np", "special"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class LoadedLater:
    """A module that is loaded when one of its names is first asked for."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(importlib.import_module(self._module), name)
        setattr(self, name, found)
        return found


if not TYPE_CHECKING:
    np = LoadedLater("numpy")


special: Any = LoadedLater("scipy.special")


def load() -> None:
    """Load scipy.special ahead, so that no second of a run waits for it; in a thread if others must not wait."""
    _ = special.ndtr


MOST_STEPS = 200
"""Bisection alone needs 60 for all digits of a float."""

Place = tuple[float, float]
"""(x, f(x))"""


def crossing(f: Callable[[float], float], low: float, high: float, xtol: float = 0.0, rtol: float = 1e-8) -> float:
    """An x between low and high where f crosses zero, to within xtol + rtol * |x|.

    Chandrupatla's method: inverse quadratic interpolation where it can be trusted, else the middle (T. R. Chandrupatla,
    Advances in Engineering Software 28, 1997, 145-149). scipy's brentq does the same, but brings the whole of
    scipy.optimize along: a fifth of a second and 24 MB. Raises ValueError when f has the same sign at both ends.
    """
    newest, across = (low, f(low)), (high, f(high))
    if newest[1] * across[1] > 0:
        raise ValueError(f"no crossing between {low:g} and {high:g}: the function is {newest[1]:g} and {across[1]:g}")
    part = 0.5
    for _ in range(MOST_STEPS):
        x = newest[0] + part * (across[0] - newest[0])
        before, here = newest, (x, f(x))
        if (here[1] > 0) != (newest[1] > 0):
            before, across = across, newest
        newest = here
        best = min(newest, across, key=lambda place: abs(place[1]))
        room = abs(across[0] - newest[0])
        least = xtol + rtol * abs(best[0])
        if best[1] == 0 or room <= 2 * least:
            break
        part = min(max(_part(newest, across, before), least / room), 1 - least / room)
    return best[0]


def _part(newest: Place, across: Place, before: Place) -> float:
    """How far to go from the newest place to the one across, as a part of the way."""
    (a, fa), (b, fb), (c, fc) = newest, across, before
    xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
    if not (phi * phi < xi and (1 - phi) ** 2 < 1 - xi):
        return 0.5
    return fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)


def is_number(value: object) -> TypeGuard[float]:
    """True for a finite number; a bool is none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
