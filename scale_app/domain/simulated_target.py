"""The target whose counts are invented: what "simulated?pods=200&cv=0.1&seed=1" means."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl

from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import np

SIMULATED_TARGET = "simulated"
ACCEPTED = "simulated?pods=1..1000&cv=0..1&seed=0..4294967295, each at most once"
LEAST_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class SimulatedTarget:
    """What is invented. Same target, same counts.

    pods: how many (1..1,000). cv: coefficient of variation of the pods' weights (0..1). seed: of all chance.
    """

    pods: int = 10
    cv: float = 0.1
    seed: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"simulated-{number:04d}" for number in range(1, self.pods + 1))

    def weights(self) -> np.ndarray:
        """Chance of each pod to be picked, shape (pods,), summing to 1."""
        deviates = np.random.default_rng(self.seed).normal(size=self.pods)
        spread = deviates.std()
        standard = (deviates - deviates.mean()) / spread if spread > 0 else np.zeros(self.pods)
        weights = np.maximum(1 + self.cv * standard, LEAST_WEIGHT)
        return np.asarray(weights / weights.sum())


def parse_simulated(url: str) -> SimulatedTarget:
    """The target that "simulated?pods=200&cv=0.1&seed=1" means; each part may be left out. Raises PlanError."""
    name, _, query = url.partition("?")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        asked = dict(pairs)
        known = name == SIMULATED_TARGET and len(asked) == len(pairs) and asked.keys() <= {"pods", "cv", "seed"}
        target = SimulatedTarget(int(asked.get("pods", 10)), float(asked.get("cv", 0.1)), int(asked.get("seed", 1)))
    except ValueError:
        raise PlanError("target_url", url, ACCEPTED) from None
    if not known or not (1 <= target.pods <= 1_000 and 0 <= target.cv <= 1 and 0 <= target.seed < 2**32):
        raise PlanError("target_url", url, ACCEPTED)
    return target
