"""What people are told outside the page when an alert is raised, updated or cleared: the text, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from scale_app.domain.alert import Alert
from scale_app.domain.events import AlertCleared, AlertRaised, AlertUpdated
from scale_app.domain.record import RunRecord

AlertEvent = AlertRaised | AlertUpdated | AlertCleared
Tone = Literal["bad", "good"]
TITLES = {"alert_raised": "Alert", "alert_updated": "Alert, new figures", "alert_cleared": "Cleared"}
SIMULATED = "Simulated: these counts are invented, no traffic was sent."
MOST_LINES = 10


@dataclass(frozen=True, slots=True)
class Notice:
    """One message. title: one line. body: plain text, some lines. tone: "good" when something is over."""

    title: str
    body: str
    tone: Tone = "bad"


def notice_of(record: RunRecord, event: AlertEvent, public_url: str = "") -> Notice:
    """The message for what happened in a run. public_url: of this installation, "" to leave the link out."""
    title = f"{TITLES[event.kind].lower()} on"
    where = _where(record, event.elapsed_s, public_url)
    if isinstance(event, AlertCleared):
        return _notice(record, title, [event.alert.cleared, *where], "good")
    return _notice(record, title, [event.alert.message, _figures(event.alert), *where])


def end_notice(record: RunRecord, public_url: str = "") -> Notice | None:
    """The message that a run ended while alerts were on, since nothing can clear them any more; else None."""
    last = record.last
    if last is None or not last.alerts:
        return None
    sentences = [alert.message for alert in last.alerts]
    title = f"run {record.state} with {len(sentences)} alert{'s' * (len(sentences) > 1)} on,"
    return _notice(record, title, [*sentences, record.message, *_where(record, last.elapsed_s, public_url)])


def _notice(record: RunRecord, title: str, lines: Sequence[str], tone: Tone = "bad") -> Notice:
    simulated = " (simulated)" if record.source.traits.invented else ""
    return Notice(f"Scale: {title} {_target(record)}{simulated}", "\n".join(filter(None, lines)), tone)


def summed_up(notices: Sequence[Notice]) -> Notice:
    """One message in place of several of one run, which came too close together. The newest is quoted whole."""
    last = notices[-1]
    earlier = [f"- {notice.body.splitlines()[0]}" for notice in notices[:-1]][-MOST_LINES:]
    body = f"{last.body}\n\nBefore that, in short ({len(notices) - 1} more messages):\n" + "\n".join(earlier)
    return Notice(f"{last.title} (and {len(notices) - 1} more)", body, last.tone)


def _figures(alert: Alert) -> str:
    if alert.on_balance or alert.balance_score is None:
        score = "unknown" if alert.balance_score is None else f"{alert.balance_score:.2f}"
        return f"Balance score: {score}" + (f", threshold: {alert.threshold:.2f}." if alert.on_balance else ".")
    return f"Threshold: {alert.threshold:.10g}. Balance score: {alert.balance_score:.2f}."


def _where(record: RunRecord, elapsed_s: float, public_url: str) -> list[str]:
    return [
        f"Run: {record.run_id}, {elapsed_s:.0f} s after its start.",
        f"Target: {_target(record)}. Counts from: {record.source.value}.",
        SIMULATED if record.source.traits.invented else "",
        f"{public_url}/runs/{record.run_id}" if public_url else "",
    ]


def _target(record: RunRecord) -> str:
    # A query may hold a key; whoever reads the message need not know it.
    return record.plan.target_url if record.source.traits.invented else record.plan.target_url.partition("?")[0]
