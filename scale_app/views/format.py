"""Figures as people read them: thousands separators, units after a space, a dash where there is nothing to show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeGuard

from scale_app.domain.errors import MOST_WHOLE

NONE = "–"
_NARROW = "\u202f"
_NO_BREAK = "\u00a0"
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(?:%|ms|s|min|h)(?![A-Za-z0-9]))")
_MINUS = re.compile(r"(?<![\w.)-])-(?=\d)")


def known(value: float | None) -> TypeGuard[float]:
    """True for a number that can be shown."""
    return value is not None and math.isfinite(value)


def prose(text: str) -> str:
    """A sentence in which no figure is parted from its unit at a line's end, with true minus signs and no Markdown."""
    return _MINUS.sub("−", _BEFORE_UNIT.sub(_NO_BREAK, text)).replace("`", "")


def count(value: float | None) -> str:
    """A whole number with thousands separators: 13,659."""
    return f"{round(value):,}" if known(value) else NONE


def rate(value: float | None) -> str:
    """A number per second: three figures below 100, whole above."""
    if not known(value):
        return NONE
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"


def score(value: float | None) -> str:
    """A score between 0 and 1 with three decimals, rounded down: a 0.9497 must not read as reaching 0.95."""
    return f"{math.floor(value * 1_000 + 1e-9) / 1_000:.3f}" if known(value) else NONE


def ratio(value: float | None) -> str:
    """A coefficient of variation: three decimals."""
    return f"{value:.3f}" if known(value) else NONE


def signed_ratio(value: float | None) -> str:
    """A difference of coefficients of variation: three decimals."""
    return _signed(value, 1_000, ".3f")


def percent(value: float | None, decimals: int = 1) -> str:
    """A share 0..1 as a percentage."""
    return f"{value * 100:.{decimals}f}{_NARROW}%" if known(value) else NONE


def signed_percent(value: float | None) -> str:
    """A difference 0..1 as a percentage."""
    return f"{_signed(value, 10, ',.1f')}{_NARROW}%" if known(value) else NONE


def _signed(value: float | None, unit: int, form: str) -> str:
    """Thousandths in this unit with their sign, a true minus included; "±" for what is rounded to 0."""
    if not known(value):
        return NONE
    thousandths = round(value * 1_000)
    sign = "+" if thousandths > 0 else "−" if thousandths < 0 else "±"
    return f"{sign}{abs(thousandths) / unit:{form}}"


def milliseconds(value: float | None) -> str:
    """A latency: decimals below 10 ms, seconds from 10 s on."""
    if not known(value):
        return NONE
    if value >= 10_000:
        return f"{value / 1_000:.1f} s"
    return f"{value:.1f} ms" if value < 10 else f"{value:,.0f} ms"


def cores(value: float | None) -> str:
    """CPU in thousandths of a core, as Kubernetes writes it: 250m; whole cores from 10 on."""
    if not known(value):
        return NONE
    return f"{value:,.1f}" if value >= 10 else f"{round(value * 1_000):,}m"


def clock(seconds: float | None) -> str:
    """Elapsed time as m:ss or h:mm:ss."""
    if not known(seconds):
        return NONE
    whole = max(0, round(seconds))
    hours, minutes, rest = whole // 3_600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def span(seconds: float) -> str:
    """A length of time in words: 45 s, 1 min 30 s, 2 h."""
    whole = round(seconds)
    parts = ((whole // 3_600, "h"), (whole // 60 % 60, "min"), (whole % 60, "s"))
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def moment(epoch_s: float | None) -> str:
    """A wall-clock time, in UTC so that everybody who looks at a run names the same time."""
    return datetime.fromtimestamp(epoch_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC") if epoch_s is not None else NONE


def plain(value: float) -> str:
    """A number as a person would type it: no trailing zeros, no separators."""
    return f"{value:.10g}"


def number(text: str) -> int | float | str:
    """What a person typed, as a number if it is one, else as it is: the plan then says what it accepts."""
    cleaned = text.strip().replace(",", "").replace(_NARROW, "").replace(" ", "")
    try:
        value = float(cleaned)
    except ValueError:
        return text
    return int(value) if value.is_integer() and abs(value) < MOST_WHOLE else value


def pairs(values: Mapping[str, float]) -> str:
    """Names with their numbers, "" for none."""
    return ", ".join(f"{name} {plain(value)}" for name, value in values.items())


def short_name(pod: str) -> str:
    """The part of a pod's name that tells it from its siblings."""
    return pod if len(pod) <= 9 else pod.rpartition("-")[2][-9:]


ID_SHOWN = 8


def short_id(run_id: str) -> str:
    """The beginning of a run's id."""
    return run_id[:ID_SHOWN]


def css(percent: float | None) -> str:
    """A CSS length; "" for none."""
    return "" if percent is None else f"{percent:.2f}%"
