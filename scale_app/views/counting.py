"""How the requests were counted, in a few sentences: source, what it covers, how old, other clients, what failed."""

from __future__ import annotations

from collections.abc import Iterator

from scale_app.domain.counting import Counting, SourceStanding
from scale_app.domain.source import NAMED_BY_ANSWERS
from scale_app.views import format as shown
from scale_app.views.words import SOURCES

OLD_FROM_S = 1.0


def counting_note(counting: Counting) -> str:
    """ "" where every answer named its pod and there is nothing else to tell."""
    return " ".join(_sentences(counting))


def _sentences(counting: Counting) -> Iterator[str]:
    now = counting.now
    if now.source not in NAMED_BY_ANSWERS:
        yield SOURCES[now.source][1]
        yield from _worth(now)
    if counting.others:
        yield f"The pods also answered at least {shown.count(counting.others)} requests of other clients."
    for standing in counting.considered:
        if standing.problem:
            yield f"{SOURCES[standing.source][0]}: {standing.problem}"


def _worth(now: SourceStanding) -> Iterator[str]:
    if now.coverage is not None and not now.approximate:
        yield f"It accounts for {min(now.coverage, 1.0):.1%} of the requests."
    if now.approximate:
        yield "These counts are estimates."
    if now.lag_s >= OLD_FROM_S:
        yield f"They are {now.lag_s:.0f} s old."
