"""What the hub works with: one adapter for each port, by source where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from scale_app.domain.snapshot import Source
from scale_app.ports import (
    Admitted,
    Clock,
    ClusterCatalog,
    Demo,
    Gatekeeper,
    LoadGenerator,
    Notifier,
    PodDirectory,
    RequestCounter,
    RunStore,
)


@dataclass(frozen=True, slots=True)
class Outside:
    """catalog, cluster_pods: of the Kubernetes clusters, None when none is configured. A target with a Service is
    watched in its cluster, whatever the source of the counts.
    """

    gatekeeper: Gatekeeper
    generators: Mapping[Source, LoadGenerator]
    directories: Mapping[Source, PodDirectory]
    store: RunStore
    demo: Demo
    clock: Clock
    notifiers: Sequence[Notifier] = ()
    catalog: ClusterCatalog | None = None
    cluster_pods: PodDirectory | None = None
    counters: Mapping[Source, RequestCounter] = field(default_factory=dict)

    def directory(self, target: Admitted) -> PodDirectory | None:
        """Who knows the target's pods; None when nobody does."""
        return self.directories.get(target.source) if target.service is None else self.cluster_pods
