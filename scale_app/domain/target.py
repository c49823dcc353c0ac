"""What a plan may have as a target: the built-in demo, invented counts ("simulated?pods=200&cv=0.1&seed=1"), a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from scale_app.domain.cluster import service_ref
from scale_app.domain.errors import PlanError
from scale_app.domain.numerics import np

DEMO_TARGET = "demo"
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


def is_demo(target_url: str) -> bool:
    """True when the target is the built-in demo cluster."""
    return target_url == DEMO_TARGET


def is_simulated(target_url: str) -> bool:
    """True when the target's counts are invented by the simulated source."""
    return target_url.partition("?")[0] == SIMULATED_TARGET


def check_target(target_url: str) -> None:
    """Raise PlanError unless the target is "demo", "simulated..." or a usable http(s) URL. Sends nothing."""
    if not isinstance(target_url, str) or not target_url.strip():
        raise PlanError("target_url", target_url, 'give "demo" or a URL such as http://api.shop.svc:8080/')
    if is_demo(target_url):
        return
    if is_simulated(target_url):
        parse_simulated(target_url)
        return
    _check_url(target_url)


def _check_url(target_url: str) -> None:
    if len(target_url) > 2_000 or re.search(r"[\x00-\x20\x7f]", target_url):
        raise PlanError("target_url", target_url, "a URL has at most 2,000 characters and no spaces")
    try:
        parts = urlsplit(target_url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PlanError("target_url", target_url, f"it is not a URL ({error})") from None
    if parts.scheme not in ("http", "https"):
        raise PlanError("target_url", target_url, "it must begin with http:// or https://")
    if not host or port == 0:
        raise PlanError("target_url", target_url, "it must name a host, and a port from 1 to 65535 if any")
    if parts.username is not None or parts.password is not None:
        raise PlanError("target_url", "(hidden)", "leave user name and password out of the URL")


def check_service(service: str, target_url: str) -> None:
    if service == "":
        return
    service_ref(service)
    if is_demo(target_url) or is_simulated(target_url):
        raise PlanError("service", service, "leave it empty for this target, whose pods are known")
