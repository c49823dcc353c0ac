"""The built-in target as people see and change it: pods behind a balancer that picks one per connection."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.errors import PlanError
from scale_app.domain.samples import PodSeen

MAX_PODS = 50


class Policy(StrEnum):
    """How the balancer picks a pod: at accept(), under LAYER7_ROUND_ROBIN for each request.

    SOURCE_STICKY is a Service with sessionAffinity ClientIP, SOURCE_HASH a proxy that hashes the client's address.
    LOCAL is internalTrafficPolicy Local, PREFER_SAME_NODE is trafficDistribution PreferSameNode.
    """

    RANDOM = "random"
    ROUND_ROBIN = "round_robin"
    LEAST_CONNECTIONS = "least_connections"
    SOURCE_STICKY = "source_sticky"
    WEIGHTED = "weighted"
    SOURCE_HASH = "source_hash"
    LOCAL = "local"
    PREFER_SAME_NODE = "prefer_same_node"
    LAYER7_ROUND_ROBIN = "layer7_round_robin"


class Fault(StrEnum):
    """What is wrong with the first pod.

    OVERLOADED_POD: it works on one request after the other, so the more it gets, the slower it is.
    FAST_FAILING_POD: it fails at once where the others have work to do.
    """

    NONE = "none"
    SLOW_POD = "slow_pod"
    FAILING_POD = "failing_pod"
    OVERLOADED_POD = "overloaded_pod"
    FAST_FAILING_POD = "fast_failing_pod"


@dataclass(frozen=True, slots=True)
class DemoChange:
    """What to change; None changes nothing.

    kill_pod: name of a pod to kill and replace. weight: of the first pod against 1 of the others, under WEIGHTED.

    Raises PlanError for a value that cannot be used.
    """

    pods: int | None = None
    policy: Policy | None = None
    fault: Fault | None = None
    weight: float | None = None
    kill_pod: str | None = None

    def __post_init__(self) -> None:
        if self.pods is not None and not 1 <= self.pods <= MAX_PODS:
            raise PlanError("pods", self.pods, f"a whole number from 1 to {MAX_PODS}")
        if self.weight is not None and not 0 < self.weight <= 100:
            raise PlanError("weight", self.weight, "a number above 0 and at most 100")

    def __str__(self) -> str:
        """What changes, in words: "policy weighted, weight 3"."""
        given = {field.name.replace("_", " "): getattr(self, field.name) for field in fields(self)}
        return ", ".join(f"{name} {value}" for name, value in given.items() if value is not None)


@dataclass(frozen=True, slots=True)
class DemoStatus:
    """The demo now.

    url: where it listens. pods: each with the weight that the policy gives it, which need not be its fair share.
    answered: {pod name: requests}, the pods' own counts, dead pods included.
    service: the Service settings that correspond to this policy.
    """

    url: str
    policy: Policy
    fault: Fault
    weight: float
    pods: tuple[PodSeen, ...]
    answered: dict[str, int]
    service: ServiceSettings | None = None


@dataclass(frozen=True, slots=True)
class DemoCommand:
    """One line to the demo's process. change None only asks for the status; number is repeated in the answer."""

    number: int
    change: DemoChange | None = None


@dataclass(frozen=True, slots=True)
class DemoRefusal:
    """Why a change was not made: the three parts of a PlanError."""

    field: str
    value: str
    accepted: str


@dataclass(frozen=True, slots=True)
class DemoReport:
    """One line from the demo's process.

    reply_to: the command's number, or None when it tells by itself: once at its start, on each change of pods, and
        every second in which they answered.
    status: after the command. refusal: set when the command changed nothing.
    """

    status: DemoStatus
    reply_to: int | None = None
    refusal: DemoRefusal | None = None
