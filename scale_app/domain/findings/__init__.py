"""Why the work is uneven, or why that cannot be said: one cause after the other, each a pure function of the facts.

To add a cause: write its texts and the function that looks for it beside those that look at the same thing, put it
into `CAUSES`, test when it fires and when it is silent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scale_app.domain.findings import balancer, connections, counts, places, pods, proxy
from scale_app.domain.findings.facts import Cause, Facts
from scale_app.domain.snapshot import Finding
from scale_app.domain.verdict import VerdictKind

CAUSES: tuple[Cause, ...] = (
    counts.pods_not_named,
    counts.generator_limit,
    pods.silent_pod,
    balancer.headless,
    balancer.session_affinity,
    places.internal_traffic_policy,
    places.external_traffic_policy,
    places.topology,
    places.node_local,
    places.uneven_places,
    places.weighted_zones,
    balancer.single_source,
    balancer.unequal_weights,
    proxy.layer7_ejected,
    proxy.layer7_left_out,
    proxy.layer7_weights,
    connections.late_pods,
    connections.taken_up_late,
    connections.slow_start,
    pods.unready_pods,
    pods.failing_magnet,
    pods.failing_pod,
    pods.overloaded_pod,
    pods.slow_pod,
    connections.keep_alive_pinning,
    connections.too_few_connections,
    counts.foreign_traffic,
    balancer.uneven_connections,
    proxy.layer7_policy,
    connections.layer7,
)
"""Every cause that is looked for; among findings that explain as much and are as certain this order is kept."""

EXPLAINS = {"uneven": 0, "open": 1, "aside": 2}
SURENESS = {"certain": 0, "likely": 1, "possible": 2}
ALERTED = (pods.silent_pod.code,)
"""Likely ones that are alerts already, of which something has to tell when they are over."""
LOOKS_TO_KEEP = 3
INFERRED = (
    *(places.node_local.code, places.uneven_places.code, places.weighted_zones.code),
    *(balancer.single_source.code, balancer.uneven_connections.code),
    *(proxy.layer7_left_out.code, proxy.layer7_weights.code, proxy.layer7_policy.code),
)
"""Ways of a balancer that the pods' shares alone show."""
OVER = "This is over. To judge the work without it, run the same plan again."


def diagnose(facts: Facts) -> tuple[Finding, ...]:
    """Every cause that fits, by what it explains, the surest first. Pure; 1.5 ms for 1,000 pods. Raises nothing."""
    found = (cause.find(facts) for cause in CAUSES)
    return tuple(sorted((finding for finding in found if finding), key=_place))


def _place(finding: Finding) -> tuple[int, bool, int, bool]:
    """What is over explained the work for certain, and what only might explain it now comes after that."""
    over = finding.over_s is not None
    return EXPLAINS[finding.explains], finding.certainty == "possible", SURENESS[finding.certainty] + over, over


class Diagnosis:
    """The causes of one run. One that was certain or an alert stays, with its time, when it is over; what was seen at
    fewer than LOOKS_TO_KEEP looks may have been a change in the making."""

    def __init__(self) -> None:
        self._certain: dict[str, _Seen] = {}

    def at(self, facts: Facts) -> tuple[Finding, ...]:
        """What fits now, and what did for certain. Call once a look."""
        found = diagnose(facts)
        for finding in found:
            sure = finding.certainty == "certain" or (finding.code in ALERTED and finding.certainty == "likely")
            if sure and finding.explains == "uneven":
                self._see(finding, facts.elapsed_s)
        now = {finding.code for finding in found}
        over = [seen for code, seen in self._certain.items() if code not in now and seen.looks >= LOOKS_TO_KEEP]
        if over and not _uneven_since(facts, max(seen.last_s for seen in over)):
            found = tuple(each for each in found if each.certainty == "certain" or each.code not in INFERRED)
        over.sort(key=lambda seen: seen.first_s - seen.last_s)  # what lasted longest explains most
        return tuple(sorted((*found, *(seen.over() for seen in over)), key=_place))

    def _see(self, finding: Finding, at_s: float) -> None:
        before = self._certain.get(finding.code)
        first_s, looks = (before.first_s, before.looks) if before else (at_s, 0)
        self._certain[finding.code] = _Seen(finding, first_s, at_s, looks + 1)


def _uneven_since(facts: Facts, over_s: float) -> bool:
    """True when the work is uneven by what came after a cause was over alone: other counts hold what it did."""
    recent = facts.figures.recent
    return facts.elapsed_s - recent.seconds >= over_s and recent.verdict.kind is VerdictKind.UNEVEN


@dataclass(frozen=True, slots=True)
class _Seen:
    finding: Finding
    first_s: float
    last_s: float
    looks: int

    def over(self) -> Finding:
        return replace(
            self.finding,
            title=f"{self.finding.title} (until {self.last_s:.0f} s)",
            evidence=f"From {self.first_s:.0f} s to {self.last_s:.0f} s: {self.finding.evidence}",
            remedy=OVER,
            patch="",
            over_s=self.last_s,
        )
