"""What a cluster offers and what it lets Scale read, as the page shows it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from scale_app.domain.cluster import NO_CLUSTER, ClusterTarget, PermissionList, Place, SourcePermission, TargetList
from scale_app.views import format as shown

ALLOWED = {True: ("yes", "Yes"), False: ("no", "No"), None: ("unknown", "Unknown")}


@dataclass(frozen=True)
class PlaceRow:
    """A node with pods of the Service. all_ready: every one of them takes traffic."""

    node: str
    text: str
    all_ready: bool


@dataclass(frozen=True)
class TargetRow:
    """One object that can be loaded. service, url: for the plan; usable: there is a URL and nothing in the way."""

    key: str
    kind: str
    name: str
    where: str
    url: str
    service: str
    ready: str
    short: bool
    places: list[PlaceRow] = field(default_factory=list)
    notable: list[str] = field(default_factory=list)
    problem: str = ""
    usable: bool = False


@dataclass(frozen=True)
class RightRow:
    """One row of the self-check. allowed: "yes", "no" or "unknown"; missing: the rules to grant."""

    source: str
    used_for: str
    allowed: str
    allowed_text: str
    missing: str
    sentence: str


@dataclass(frozen=True)
class TargetsView:
    """The whole page. configured: a cluster is; problem, rights_problem: sentences for what could not be read."""

    configured: bool = False
    problem: str = ""
    looked_at: str = ""
    targets: list[TargetRow] = field(default_factory=list)
    rights: list[RightRow] = field(default_factory=list)
    rights_of: str = ""
    rights_problem: str = ""


NO_TARGETS = TargetsView()


def targets_view(offered: TargetList, rights: PermissionList) -> TargetsView:
    configured = offered.problem != NO_CLUSTER
    return TargetsView(
        configured=configured,
        problem=offered.problem,
        looked_at=_looked_at(offered) if configured else "",
        targets=[_target_row(target) for target in offered.targets],
        rights=[_right_row(row) for row in rights.rows],
        rights_of=f"Namespace {rights.namespace}" if rights.namespace else "",
        rights_problem=rights.problem if configured else "",
    )


def narrowed(rows: list[TargetRow], text: str) -> list[TargetRow]:
    """Those whose name, place or URL contains the text, upper and lower case alike."""
    wanted = text.strip().lower()
    return [row for row in rows if wanted in f"{row.where}/{row.name} {row.kind} {row.url}".lower()]


def _looked_at(offered: TargetList) -> str:
    spaces = "all namespaces" if "*" in offered.namespaces else _listed("namespace", offered.namespaces)
    return ", ".join(part for part in (_listed("context", offered.contexts), spaces) if part)


def _listed(what: str, names: tuple[str, ...]) -> str:
    return f"{what}{'s' if len(names) > 1 else ''} {', '.join(names)}" if names else ""


def _target_row(target: ClusterTarget) -> TargetRow:
    service = target.service
    return TargetRow(
        key=f"{target.kind} {service.context} {service.namespace} {target.name} {target.url}",
        kind=target.kind,
        name=target.name,
        where="/".join(part for part in (service.context, service.namespace) if part),
        url=target.url,
        service=str(service),
        ready=f"{shown.count(target.ready)} of {shown.count(target.pods)}",
        short=target.ready < target.pods or not target.pods,
        places=[_place_row(place) for place in target.places],
        notable=list(target.notable),
        problem=target.problem,
        usable=bool(target.url) and not target.problem,
    )


def _place_row(place: Place) -> PlaceRow:
    node = place.node or "no node"
    return PlaceRow(
        node=f"{node} ({place.zone})" if place.zone else node,
        text=shown.count(place.ready) if place.ready == place.pods else f"{place.ready} of {place.pods}",
        all_ready=place.ready == place.pods,
    )


def _right_row(row: SourcePermission) -> RightRow:
    allowed, text = ALLOWED[row.allowed]
    return RightRow(
        source=row.source.replace("_", " "),
        used_for=row.used_for[:1].upper() + row.used_for[1:],
        allowed=allowed,
        allowed_text=text,
        missing=", ".join(str(rule) for rule in row.missing),
        sentence=row.sentence,
    )
