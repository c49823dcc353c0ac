"""What the balancer's own weights make due to each pod, beside what fair shares make due.

Weights change in mid-run, and a pod that is gone has none any more, so they are counted as they were at each time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

UNEQUAL_FROM = 1.05


class ByWeight:
    """due: requests since the start by weight, {} as long as no weights were known."""

    def __init__(self) -> None:
        self.due: dict[str, float] = {}
        self._weights: dict[str, float] = {}

    def observe(
        self,
        before: Mapping[str, float],
        gained: Mapping[str, float],
        fixed: Collection[str],
        weights: Mapping[str, float],
    ) -> None:
        """Take the requests that became due in an interval.

        before: fairly, since the start. gained: fairly, in the interval. fixed: pods whose due no weight changes, since
        it is what they got. weights: of the balancer, relative to those of the fair shares; {} where it has none.
        """
        if not self.due and not unequal(weights):
            return
        self.due = self.due or dict(before)
        self._weights = {**self._weights, **weights} if weights else {}
        shared = {name: due * self._weights.get(name, 1.0) for name, due in gained.items() if name not in fixed}
        fair, all_shared = sum(gained[name] for name in shared), sum(shared.values())
        for name, due in gained.items():
            by_weight = shared[name] * fair / all_shared if shared.get(name) else due
            self.due[name] = self.due.get(name, 0.0) + by_weight


def unequal(weights: Mapping[str, float]) -> bool:
    """By more than rounding."""
    return len(weights) > 1 and max(weights.values()) > UNEQUAL_FROM * min(weights.values())
