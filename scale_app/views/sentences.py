"""What is said of a run beside its figures: alerts, causes, how it was counted, what happened. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from scale_app.domain.alert import Alert
from scale_app.domain.counting import Counting, SourceStanding
from scale_app.domain.events import (
    AlertCleared,
    AlertRaised,
    ClusterChanged,
    Event,
    GeneratorNoticed,
    PlanEdited,
    PodChanged,
    StateChanged,
)
from scale_app.domain.findings.counts import generator_limit
from scale_app.domain.gating import GateResult
from scale_app.domain.plan import LoadPlan
from scale_app.domain.snapshot import Finding, RunState, Snapshot
from scale_app.domain.verdict import VerdictKind
from scale_app.views import format as shown
from scale_app.views.view import AlertRow, CheckRow, FindingRow, Happening
from scale_app.views.words import ALERTS, CERTAINTIES, CHANGED_STATES, CHECK_NAMES, GENERATOR_NOTES, OUTCOMES, VERDICTS

NO_CAUSE = "No likely cause found."


def alert_rows(snapshot: Snapshot) -> list[AlertRow]:
    """Those that are on, or were when the run ended, in the snapshot's order."""
    return [
        AlertRow(alert_title(alert, snapshot.state.active), _alert_message(alert, snapshot))
        for alert in snapshot.alerts
    ]


def alert_title(alert: Alert, active: bool = True) -> str:
    """What an alert is about, and since when; without figures, which the verdict has as they are now."""
    since = shown.clock(alert.raised_at_s)
    return f"{ALERTS[alert.rule]} alert {f'since {since}' if active else f'from {since} to the end'}"


def _alert_message(alert: Alert, snapshot: Snapshot) -> str:
    """Of an imbalance the present figures of its window where the verdict has others; none of what is over."""
    if alert.rule != "verdict":
        return shown.prose(alert.message)
    lately = snapshot.recent_verdict
    if not snapshot.state.active or lately.sentence == snapshot.verdict.sentence:
        return ""
    if lately.kind is VerdictKind.UNEVEN:
        said = parted(lately.sentence, VERDICTS[lately.kind])[0]
        return shown.prose(f"In the last 10 s {said[:1].lower()}{said[1:]}")
    return "" if snapshot.verdict.kind is VerdictKind.UNEVEN else shown.prose(alert.message)


_PROSPECT = re.compile(r"(?<=\.) (?=(?:About|With) \d)")


def parted(sentence: str, word: str) -> tuple[str, str]:
    """A verdict's sentence without the word for it, which stands above; and what would decide, "" for nothing."""
    said, *prospect = _PROSPECT.split(sentence, maxsplit=1)
    rest = said.removeprefix(word).lstrip(": ") if said.startswith((f"{word}:", f"{word} ")) else said
    return rest[:1].upper() + rest[1:], "".join(prospect)


def check_rows(gate: GateResult) -> list[CheckRow]:
    """The thresholds of an ended run; none where its plan asks for no more than a verdict, which is told anyway."""
    if all(check.name == "verdict" for check in gate.checks):
        return []
    return [
        CheckRow(CHECK_NAMES[check.name], check.outcome.value, OUTCOMES[check.outcome], shown.prose(check.sentence))
        for check in gate.checks
    ]


def finding_rows(findings: Sequence[Finding]) -> list[FindingRow]:
    """The causes that fit, in the snapshot's order."""
    return [
        FindingRow(
            code=finding.code,
            title=finding.title,
            certainty=finding.certainty,
            certainty_text=CERTAINTIES[finding.certainty],
            cause=finding.cause,
            evidence=shown.prose(finding.evidence),
            remedy=shown.prose(finding.remedy),
            patch=finding.patch,
        )
        for finding in findings
    ]


def findings_note(snapshot: Snapshot) -> str:
    """What stands where findings would, "" when there is nothing to explain."""
    doubted = snapshot.verdict.kind in (VerdictKind.UNEVEN, VerdictKind.UNDECIDED)
    open_question = doubted and snapshot.balance.pods > 1
    return NO_CAUSE if open_question and not snapshot.findings else ""


def generator_note(findings: Sequence[Finding]) -> str:
    """Why the load generator limits what is measured, "" when no finding says so."""
    found = next((each for each in findings if each.code == generator_limit.code), None)
    return shown.prose(f"{GENERATOR_NOTES[found.certainty]} {found.evidence}") if found else ""


OLD_FROM_S = 1.0


def counting_note(counting: Counting) -> str:
    """ "" where every answer named its pod and there is nothing else to tell."""
    return " ".join(_counting_sentences(counting))


def _counting_sentences(counting: Counting) -> Iterator[str]:
    now = counting.now
    if not now.source.traits.in_answers:
        yield now.source.traits.meaning
        yield from _worth(now)
    if counting.others:
        yield f"The pods also answered at least {shown.count(counting.others)} requests from other clients."
    for standing in counting.considered:
        if standing.problem:
            yield f"{standing.source.traits.label}: {standing.problem}"


def _worth(now: SourceStanding) -> Iterator[str]:
    if now.coverage is not None and not now.approximate:
        yield f"It covers {shown.percent(min(now.coverage, 1.0))} of the requests."
    if now.approximate:
        yield "These counts are estimates."
    if now.lag_s >= OLD_FROM_S:
        yield f"They are {now.lag_s:.0f} s old."


MOST_HAPPENINGS = 100
POD_CHANGES = {
    "joined": "joined",
    "left": "is gone",
    "ready": "became ready",
    "unready": "is no longer ready",
    "terminating": "is terminating",
    "restarted": "restarted its container",
    "replaced": "was replaced by a new pod of the same name",
}
CLUSTER_CHANGES = {
    "scaled": "{subject} was scaled {detail}.",
    "node_joined": "Node {subject} joined.",
    "node_left": "Node {subject} is gone.",
    "node_ready": "Node {subject} became ready.",
    "node_unready": "Node {subject} is no longer ready.",
    "settings": "The Service was changed: {detail}.",
    "watch_lost": "{detail}",
    "watch_back": "The watch on the pods works again.",
}


def happenings(events: Sequence[Event]) -> list[Happening]:
    """The newest events that are not snapshots."""
    lines = [line for event in events if (line := _happening(event))]
    return lines[-MOST_HAPPENINGS:][::-1]


def _happening(event: Event) -> Happening | None:
    at = shown.clock(event.elapsed_s)
    match event:
        case StateChanged(state=state, message=message):
            tone = "bad" if state in (RunState.FAILED, RunState.INTERRUPTED) else ""
            return Happening(at, shown.prose(message or CHANGED_STATES[state]), tone)
        case AlertRaised(alert=alert):
            return Happening(at, shown.prose(alert.message), "bad")
        case AlertCleared(alert=alert):
            return Happening(at, alert.cleared)
        case PodChanged(pod=pod, change=change, detail=detail):
            return Happening(at, f"Pod {pod} {POD_CHANGES[change]}{f' ({detail})' if detail else ''}.")
        case ClusterChanged(subject=subject, change=change, detail=detail):
            tone = "bad" if change == "watch_lost" else ""
            return Happening(at, CLUSTER_CHANGES[change].format(subject=subject, detail=detail), tone)
        case GeneratorNoticed(message=message):
            return Happening(at, shown.prose(message), "bad")
        case PlanEdited(plan=plan):
            return Happening(at, _edit(plan))
        case _:
            return None


def _edit(plan: LoadPlan) -> str:
    """The three figures that can be changed while load is sent."""
    arrivals = "" if plan.arrivals_per_s is None else f"{shown.plain(plan.arrivals_per_s)} requests per second, "
    spawned = f"spawn rate {shown.plain(plan.spawn_rate)} per second"
    return f"Load changed to {arrivals}{shown.count(plan.users)} users, {spawned}."


MOST_MARKS = 40
"""On the time axis; with more, the newest."""


def marks(events: Sequence[Event]) -> list[tuple[float, Happening]]:
    """Alerts, pods that come and go, edits, each with its second; the run's beginning and end are the axis' ends."""
    told = [
        (event.elapsed_s, line)
        for event in events
        if not isinstance(event, StateChanged) and (line := _happening(event))
    ]
    return told[-MOST_MARKS:]


def alert_spans(events: Sequence[Event]) -> list[tuple[float, float | None]]:
    """When an alert was on, in seconds: from, to; None for one that is on still."""
    spans: list[tuple[float, float | None]] = []
    raised: dict[str, float] = {}
    for event in events:
        if isinstance(event, AlertRaised):
            raised[event.alert.rule] = event.elapsed_s
        elif isinstance(event, AlertCleared) and event.alert.rule in raised:
            spans.append((raised.pop(event.alert.rule), event.elapsed_s))
    return [*spans, *((from_s, None) for from_s in raised.values())]
