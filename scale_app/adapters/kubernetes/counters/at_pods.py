"""What every source of counts is given, and how it comes to the pods of a run's Service."""

from __future__ import annotations

from dataclasses import dataclass

from scale_app.adapters.kubernetes.counters.pods import TargetPods
from scale_app.adapters.kubernetes.counters.polling import EVERY_S
from scale_app.adapters.kubernetes.directory import ClusterOf
from scale_app.domain.errors import CountingFailed
from scale_app.domain.plan import LoadPlan
from scale_app.ports import Admitted, Clock


@dataclass(frozen=True, slots=True)
class AtPods:
    """cluster_of: raises ClusterUnavailable for an unknown context. every_s: from one look at the pods to the next."""

    cluster_of: ClusterOf
    clock: Clock
    every_s: float = EVERY_S

    def pods_of(self, plan: LoadPlan, target: Admitted) -> TargetPods:
        """The pods behind the target, to be entered. Raises CountingFailed for a target that is no Service."""
        if target.service is None:
            raise CountingFailed(
                f"{plan.target_url} is not known as a Service of a cluster that Scale may read, so nothing can be "
                "counted at its pods. Name its Service in the plan."
            )
        return TargetPods(self.cluster_of(target.service), target.service)
