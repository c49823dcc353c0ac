"""How a run's requests are ascribed to pods: what may be asked for, and what a snapshot says about it."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal, get_args

from scale_app.domain.errors import PlanError
from scale_app.domain.source import COUNTERS, AskedSource, Source

EnterPods = Literal["no", "exec", "ephemeral"]

LONGEST_TEXT = 2_000
METRIC_NAME = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]{0,199}")
JSON_FIELD = re.compile(r"[^\x00-\x1f\x7f.]{1,100}(\.[^\x00-\x1f\x7f.]{1,100}){0,9}")
PROXY_PODS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[A-Za-z0-9._/=!, ()-]{1,500}")


@dataclass(frozen=True, slots=True)
class CountingWish:
    """How the requests per pod are to be counted.

    source: "auto" takes the best that works. json_field: where an answer's JSON body names its pod, "pod.name".
    counter_name: a Prometheus counter's name, "" to find it by the load. log_pattern: the access log's format in
    nginx's notation, "" for common, combined and JSON. proxy_pods: "namespace/label=value" of a layer-7 proxy's pods.
    enter_pods: may something be run inside the pods to list their connections? "exec" runs `cat` in their own
    container, "ephemeral" adds a debugging container that stays until the pod ends.

    Raises PlanError.
    """

    source: AskedSource = "auto"
    json_field: str = ""
    counter_name: str = ""
    log_pattern: str = ""
    proxy_pods: str = ""
    enter_pods: EnterPods = "no"

    def __post_init__(self) -> None:
        if self.source not in get_args(AskedSource):
            raise PlanError("counting", self.source, f"one of {', '.join(get_args(AskedSource))}")
        if self.enter_pods not in get_args(EnterPods):
            raise PlanError("enter_pods", self.enter_pods, "one of no, exec, ephemeral")
        _text(
            "json_field", self.json_field, JSON_FIELD, "field names of a JSON object with dots between, as in pod.name"
        )
        _text("counter_name", self.counter_name, METRIC_NAME, "the name of a counter such as http_requests_total")
        _text("proxy_pods", self.proxy_pods, PROXY_PODS, "a namespace and a label selector such as ingress/app=nginx")
        _pattern(self.log_pattern)
        self._check_needs()

    def _check_needs(self) -> None:
        if self.source != "auto" and not self._can_use(Source(self.source)):
            traits = Source(self.source).traits
            raise PlanError(traits.plan_field, getattr(self, traits.plan_field), traits.without_it)

    def _can_use(self, source: Source) -> bool:
        """True when the field that the source needs is given."""
        field = source.traits.plan_field
        return not field or getattr(self, field) not in ("", "no")

    def allows(self, source: Source) -> bool:
        """True when this source, one that is read beside the load, may be tried."""
        return self._can_use(source) if self.source == "auto" else self.source == source

    @property
    def joins_connections(self) -> bool:
        """True when a source may be read whose counts are joined with the load generator's own connections."""
        return any(source.traits.unit == "connections" and self.allows(source) for source in COUNTERS)


@dataclass(frozen=True, slots=True)
class SourceStanding:
    """How well one counting source works in this run, since its start.

    coverage: requests that it assigned to pods, divided by those sent; above 1 if it includes other clients, None
        before its first counts. approximate: its counts are estimates. lag_s: the least age of its newest counts.
    took_s: how long its last reading took, all pods together. unread: pods that could not be read the last time.
    problem: why it cannot be used, or not fully, "" when it can. lost: at least so many of the run's requests are
        missing from the counts, because a pod's counter ended or cannot be read.
    """

    source: Source
    coverage: float | None = None
    approximate: bool = False
    lag_s: float = 0.0
    took_s: float = 0.0
    unread: tuple[str, ...] = ()
    problem: str = ""
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Counting:
    """How the figures of one snapshot were counted.

    now: the source in use. others: at least so many requests of other clients were answered since the start; None if
    unknown. considered: every source that was tried, the one in use included.
    """

    now: SourceStanding = SourceStanding(Source.HEADER)
    others: int | None = None
    considered: tuple[SourceStanding, ...] = ()

    def beside(self, silent: Collection[str]) -> Counting:
        """The same with no counter blamed that cannot be read because its pod does not answer. silent: such pods."""
        considered = tuple(_beside(standing, silent) for standing in self.considered)
        return replace(self, now=_beside(self.now, silent), considered=considered)


def _beside(standing: SourceStanding, silent: Collection[str]) -> SourceStanding:
    unread = standing.unread
    return replace(standing, problem="") if unread and set(unread) <= set(silent) else standing


def _text(field: str, value: object, pattern: re.Pattern[str], accepted: str) -> None:
    if not isinstance(value, str) or (value and not pattern.fullmatch(value)):
        raise PlanError(field, value, accepted)


def _pattern(value: object) -> None:
    accepted = (
        "the log format in nginx's notation, with $request or $request_uri in it, as in '$remote_addr \"$request\"'"
    )
    if not isinstance(value, str) or len(value) > LONGEST_TEXT or any(ord(character) < 32 for character in value):
        raise PlanError("log_pattern", value, accepted)
    if value and "$" not in value:
        raise PlanError("log_pattern", value, accepted)
