"""What the service needs from outside, one Protocol each. Adapters fulfil them; wiring.py joins the two."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from scale_app.domain.cluster import PermissionList, ServiceRef, TargetList
from scale_app.domain.demo import DemoChange, DemoStatus
from scale_app.domain.events import Event, Numbered
from scale_app.domain.notice import Notice
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.pod_history import PodCounts
from scale_app.domain.record import ALL_RUNS, RunFilter, RunOutline, RunRecord, SavedPlan
from scale_app.domain.recording import Recorded
from scale_app.domain.samples import ConnectionsSample, CountsSample, Sample
from scale_app.domain.snapshot import Point, Source
from scale_app.replica_ports import Leases, RunBus


class Clock(Protocol):
    """Time, so that tests can own it."""

    def monotonic_s(self) -> float:
        """Seconds that never go backwards, shared by all processes of this machine."""

    def epoch_s(self) -> float:
        """Wall-clock seconds since 1970."""

    async def sleep(self, seconds: float) -> None:
        """Return after this many monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """A target that may be loaded. url: what the generator sends requests to. source: where counts come from.

    networks: the only address ranges (CIDR) to which a connection may be opened; checked again at each connect,
    so that a name that resolves to another address later is refused there.
    service: the Kubernetes Service whose pods are watched, None for none.
    secrets: {name: value} of those that the plan sends, or its locustfile may; each is bound to this target.
    one_port: no other port may be connected to than the URL's, because the target is this machine.
    headers: that the plan sends with each request, by which a balancer may choose.
    """

    url: str
    source: Source
    networks: tuple[str, ...]
    service: ServiceRef | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    one_port: bool = False
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)


class Load(Protocol):
    """One run's load generator. It ends by itself after the plan's duration and dies with its owner."""

    def samples(self) -> AsyncIterator[Sample]:
        """LoadReady, then a TrafficSample a second, the last one complete, then exactly one LoadEnded. Once only."""

    async def edit(self, edit: PlanEdit) -> None:
        """Change users or spawn rate; in force within a second."""

    async def stop(self) -> None:
        """Start no new request, wait for those in flight (at most the plan's timeout), then end. Idempotent."""

    async def kill(self) -> None:
        """End at once, whatever is in flight. Idempotent; returns when nothing sends load any more."""


class LoadGenerator(Protocol):
    async def start(self, plan: LoadPlan, target: Admitted) -> Load:
        """Start a generator. Raises GeneratorFailed."""


class PodDirectory(Protocol):
    def watch(self, target: Admitted) -> AsyncIterator[Sample]:
        """A PodsSample now, and one whenever the list of pods changes; ends when closed.

        While its cluster cannot be asked it gives PodsLost, and goes on by itself. Raises TargetGone when the target
        itself has ended, and TargetUnavailable when the watch cannot go on.
        """


class ClusterCatalog(Protocol):
    """What the configured Kubernetes clusters offer, and what they let us read. Neither raises a ScaleError."""

    async def targets(self) -> TargetList:
        """Every Service, Ingress and HTTPRoute of the configured namespaces now; what is wrong is in `problem`."""

    async def permissions(self, service: str = "") -> PermissionList:
        """The self-check, asked now. service: as in a plan; "" for the first configured namespace."""


class RequestCounter(Protocol):
    """One source of requests per pod that is read beside the load."""

    def counts(
        self, plan: LoadPlan, target: Admitted, sent: Callable[[], int]
    ) -> AsyncGenerator[CountsSample | ConnectionsSample, None]:
        """Reading after reading, cumulative, at most about one a second; the first one at once, as what to count from.

        sent: the requests of the load that have ended so far. Pods that come and go are followed. What can be read
        only in part is said in the sample; ends when closed. Raises CountingFailed when nothing can be read.
        """


class Gatekeeper(Protocol):
    async def admit(self, plan: LoadPlan, recent_s: float = 0.0) -> Admitted:
        """Where the plan's target may be reached. Raises TargetRefused or TargetUnavailable; sends no load.

        recent_s: how old may be what the clusters listed last, to find the Service to which a URL leads; above 0
        nothing at all is sent to the target.
        """


class RunStore(Protocol):
    """The history: appended to by the hub alone. Every method raises StoreUnavailable, and does so in bounded time.

    Repeating a write whose outcome is unknown is safe. lease_number: of the run's lease, the same at each write of its
    owner; once it was marked as interrupted, no write of its owner is taken any more.
    """

    async def create(self, record: RunRecord, lease_number: int = 0) -> None:
        """Keep a new run. One that is kept already stays as it is."""

    async def append(
        self,
        run_id: str,
        first_seq: int,
        events: Sequence[Event],
        at_epoch_s: float | None = None,
        lease_number: int = 0,
    ) -> None:
        """Keep events durably before returning; seq counts up from first_seq. The run's summary follows them.

        at_epoch_s: when the last of them happened, wall clock: a run that they end has ended then; None is now.
        Raises RunNotFound, LeaseLost.
        """

    async def record(self, run_id: str, first_seq: int, lines: Sequence[Recorded], lease_number: int = 0) -> None:
        """Keep lines of the run's recording durably; seq counts up from first_seq. Raises RunNotFound, LeaseLost."""

    def recorded(self, run_id: str) -> AsyncGenerator[list[Recorded], None]:
        """The recording in order, a few lines at a time: of many pods an hour is more than memory holds.

        It ends before the first line that is missing. Nothing where there is none.
        """

    async def runs(
        self, limit: int, offset: int, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()
    ) -> list[RunOutline]:
        """Those that are wanted, newest first. without: ids of runs that are not looked at."""

    async def plans_of(self, run_ids: Sequence[str]) -> dict[str, LoadPlan]:
        """The plans of those of these runs that there are."""

    async def count(self, wanted: RunFilter = ALL_RUNS, without: Sequence[str] = ()) -> int:
        """How many runs are wanted."""

    async def run(self, run_id: str) -> RunRecord:
        """Raises RunNotFound."""

    async def events(self, run_id: str) -> list[Event]:
        """In order. Empty when the run has none or is unknown.

        Of the snapshots those that are kept whole: the first, one in ten seconds, those at which an alert, the state or
        the plan changed, and those of a run that is ending; a recording gives the others again.
        """

    async def points(self, run_id: str) -> list[Point]:
        """What the time charts draw, in order, without reading whole snapshots."""

    async def pod_counts(self, run_id: str, most: int) -> list[PodCounts]:
        """The pods' counts at most this many times (2 or more), evenly spread over the run's snapshots, in order.

        Those of the newest snapshot are always among them.
        """

    async def happenings(self, run_id: str) -> list[Numbered]:
        """The events in order, snapshots apart, each with its seq."""

    async def delete(self, run_id: str) -> None:
        """Forget a run and its events. Raises RunNotFound."""

    async def oldest(self, limit: int) -> list[RunOutline]:
        """Ended runs that are no baseline, the oldest first."""

    async def size_bytes(self) -> int:
        """What the history takes, without room that is free for what comes."""

    async def tidy(self) -> bool:
        """One small step of what keeps the history small, if there is one to take; True when there may be another."""

    async def mark_baseline(self, run_id: str, name: str) -> None:
        """Give the run this name, and take it from the run that had it; "" takes the run's own away.

        Raises RunNotFound.
        """

    async def plans(self) -> list[SavedPlan]:
        """Every saved plan, by name."""

    async def save_plan(self, saved: SavedPlan) -> None:
        """Keep a plan, in place of the one that had its name."""

    async def delete_plan(self, name: str) -> None:
        """Raises PlanNotFound."""

    async def active(self) -> list[str]:
        """Ids of the runs that are stored as active."""

    async def mark_interrupted(self, message: str, only: Sequence[str] | None = None) -> list[str]:
        """Turn every run that is stored as active into an interrupted one; ids of those. Each once, whoever else tries.

        only: ids of the runs that are looked at, None for all.
        """

    async def check(self) -> None:
        """Returns when the history can be read now."""

    async def close(self) -> None:
        """Let go of the database."""


class Notifier(Protocol):
    """One receiver of messages outside: a chat room, a webhook, a mailbox."""

    @property
    def name(self) -> str:
        """Its name for people, without secrets."""

    async def send(self, notice: Notice) -> None:
        """Try once to deliver. Raises NotifyFailed."""


class Demo(Protocol):
    """Control of the built-in target."""

    async def status(self) -> DemoStatus:
        """Raises TargetUnavailable."""

    async def change(self, change: DemoChange) -> DemoStatus:
        """Apply a policy or fault at once, also while a run sends load. Raises PlanError, TargetUnavailable."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """What the hub works with: one adapter for each port, by source where they differ.

    catalog, cluster_pods: of the Kubernetes clusters, None when none is configured. A target with a Service is watched
    in its cluster, whatever the source of the counts. leases: of the runs. bus: to the other servers
    that use the store, None where there are none.
    """

    gatekeeper: Gatekeeper
    generators: Mapping[Source, LoadGenerator]
    directories: Mapping[Source, PodDirectory]
    store: RunStore
    demo: Demo
    clock: Clock
    leases: Leases
    notifiers: Sequence[Notifier] = ()
    catalog: ClusterCatalog | None = None
    cluster_pods: PodDirectory | None = None
    counters: Mapping[Source, RequestCounter] = field(default_factory=dict)
    bus: RunBus | None = None

    @property
    def alone(self) -> bool:
        """No other server uses the store."""
        return self.bus is None

    def directory(self, target: Admitted) -> PodDirectory | None:
        """Who knows the target's pods; None when nobody does."""
        return self.directories.get(target.source) if target.service is None else self.cluster_pods
