"""A comparison of two runs in one sentence for people."""

from __future__ import annotations

from collections.abc import Sequence


def not_comparable_sentence(reasons: Sequence[str]) -> str:
    """reasons: parts of a sentence."""
    return f"Not comparable: {'; '.join(reasons)}."


def comparable_sentence(changed: str, first_cv: float, second_cv: float, low: float, high: float) -> str:
    """changed: a value of Change. low, high: 95 % interval of the second long-run CV minus the first."""
    cvs = f"from {first_cv:.3f} to {second_cv:.3f}"
    if changed == "better":
        by = f"by {-high:.3f} to {-low:.3f}"
        return f"Better by more than chance: the long-run CV fell {cvs}, {by} with 95 % confidence."
    if changed == "worse":
        return (
            f"Worse by more than chance: the long-run CV rose {cvs}, by {low:.3f} to {high:.3f} with 95 % confidence."
        )
    return (
        f"No more than chance: the long-run CV went {cvs}; "
        f"with 95 % confidence the change is between {low:+.3f} and {high:+.3f}."
    )


def policy(requests_per_connection: int | None) -> str:
    """How a run's connections are used, as part of a sentence."""
    if requests_per_connection is None:
        return "keep-alive"
    if requests_per_connection == 1:
        return "a new connection for each request"
    return f"a new connection every {requests_per_connection:,} requests"
