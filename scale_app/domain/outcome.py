"""The sentences for a run that did not end as planned: one that reached nothing, and one that was cut off."""

from __future__ import annotations

from collections.abc import Mapping

from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import TrafficSample

INTERRUPTED = (
    "The server ended while this run was sending load, or before its end was stored; the seconds that are shown were "
    "stored before."
)
GIVE_UP_AFTER_S = 10.0
ADVICE = {
    "connection refused": "Check that the service listens on this port",
    "timeout": "Check that the address is right and that no firewall drops the packets",
    "name not resolved": "Check the host's name and the DNS of this machine",
    "connection reset": "Check what stands in front of the service, and its logs",
}


def reached_nothing(sample: TrafficSample) -> bool:
    """True when requests ended and none of them got a good answer."""
    return sample.requests > 0 and sum(sample.errors.values()) >= sample.requests


def should_give_up(plan: LoadPlan, elapsed_s: float, sample: TrafficSample) -> bool:
    """True when waiting longer would only send more load to a target that gives no good answer."""
    return elapsed_s >= max(GIVE_UP_AFTER_S, plan.timeout_s + 2) and (sample.requests == 0 or reached_nothing(sample))


def failure_sentence(plan: LoadPlan, sample: TrafficSample | None) -> str:
    """What was tried, what came back, what to do; "" when at least one answer was good."""
    if sample is None or sample.requests == 0:
        return (
            f"No request to {plan.target_url} ended before the run did, so there is nothing to judge. Try a longer run."
        )
    if not reached_nothing(sample):
        return ""
    cause = max(sample.errors, key=lambda name: sample.errors[name])
    advice = ADVICE.get(cause, "Check the service's own logs for this time")
    return (
        f"None of {sample.requests:,} requests to {plan.target_url} got a good answer: "
        f"{_causes(sample.errors)}. {advice}, then start again."
    )


def _causes(errors: Mapping[str, int]) -> str:
    ranked = sorted(errors.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{count:,} x {cause}" for cause, count in ranked)
