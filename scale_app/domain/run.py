"""A run: samples in, events out. Pure; the same samples always give the same events.

Readings of whatever observes it are taken in as they come and move no clock: a tick looks at them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from scale_app.domain.alert_rules import Alerts
from scale_app.domain.attribution import Attribution
from scale_app.domain.counters import ForeignTraffic
from scale_app.domain.events import (
    AlertCleared,
    AlertRaised,
    AlertUpdated,
    Event,
    GeneratorNoticed,
    PlanEdited,
    PodChanged,
    SnapshotTaken,
    StateChanged,
)
from scale_app.domain.findings import Diagnosis
from scale_app.domain.findings.facts import Facts
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.plausible import Plausible
from scale_app.domain.prospect import Prospect
from scale_app.domain.roster import Roster, Surroundings
from scale_app.domain.samples import (
    ConnectionsSample,
    CountsSample,
    GeneratorHealth,
    GeneratorNotice,
    LoadEnded,
    LoadReady,
    PlanChanged,
    PodsLost,
    PodsSample,
    Sample,
    StopAsked,
    Tick,
    TrafficSample,
)
from scale_app.domain.snapshot import MOVES, RunState, Snapshot, Source
from scale_app.domain.unanswered import failure_sentence, should_give_up
from scale_app.domain.verdict import DECIDED, Verdict
from scale_app.domain.view import pod_shares, snapshot_of
from scale_app.domain.weights import with_weights
from scale_app.domain.window import Figures
from scale_app.domain.windows import Windows

CHANGES_KEPT = 200
HEALTH_KEPT = 5
ALERT_EVENTS = {"raised": AlertRaised, "updated": AlertUpdated, "cleared": AlertCleared}


class Run:
    """One load test from its start to its end.

    epoch_offset_s: wall clock minus monotonic clock at the start. next_seq: number of events so far. loaded: a load
    generator takes part, which begins and ends the run; one without begins at the first tick, goes on for the plan's
    duration, and its requests are those that the sources beside it have counted.
    """

    def __init__(self, run_id: str, plan: LoadPlan, source: Source, epoch_offset_s: float, loaded: bool = True) -> None:
        self.run_id = run_id
        self.plan = plan
        self.state = RunState.STARTING
        self.message = self._notice = ""
        self.last: Snapshot | None = None
        self.next_seq = 0
        self.epoch_offset_s = epoch_offset_s
        self._began_at_s: float | None = None
        self._plausible = Plausible()
        self._roster = Roster(plan.weights)
        self._windows = Windows(self._roster, plan.warm_up_s, plan.timeout_s)
        self._alerts = Alerts(plan)
        self._diagnosis = Diagnosis()
        self._prospect = Prospect()
        self._traffic: TrafficSample | None = None
        self._changes: deque[PodChanged] = deque(maxlen=CHANGES_KEPT)
        self._foreign = ForeignTraffic()
        self._surroundings = Surroundings()
        self._attribution = Attribution(plan.wish, source, loaded)
        self._loaded = loaded
        self._looked_at: TrafficSample | None = None
        self._decided: Verdict | None = None
        self._decided_words = ""
        self._health: deque[GeneratorHealth] = deque(maxlen=HEALTH_KEPT)
        self._events: list[Event] = []

    @property
    def source(self) -> Source:
        return self._attribution.source

    @property
    def counts_by_answers(self) -> bool:
        """True when the answers themselves say enough, so that sources beside the load need not be read any more."""
        return self._attribution.settled

    @property
    def decided(self) -> bool:
        """True once the run knows what its plan wanted it to find out, so that it may end: see `LoadPlan.until`."""
        return self._decided is not None

    def observe(self, sample: Sample) -> list[Event]:
        """What this sample means; nothing once the run has ended."""
        if not self.state.active:
            return []
        handlers: dict[type[Sample], Callable[[Any], None]] = {
            LoadReady: self._ready,
            TrafficSample: self._traffic_seen,
            PodsSample: self._pods_seen,
            PodsLost: self._pods_lost,
            CountsSample: self._attribution.counts_seen,
            ConnectionsSample: self._attribution.connections_seen,
            Tick: self._ticked,
            PlanChanged: self._plan_changed,
            StopAsked: self._stop_asked,
            GeneratorNotice: self._noticed,
            LoadEnded: self._ended,
        }
        self._events = []
        handlers[type(sample)](self._plausible.within(sample))
        self.next_seq += len(self._events)
        self._let_go()
        return self._events

    def cut_off(self, at_s: float, state: RunState, why: str) -> list[Event]:
        """End without figures, in whatever state this is: FAILED where samples cannot be taken in any more, INTERRUPTED
        where another server has ended this run in the store."""
        self.state, self.message = state, why
        self.next_seq += 1
        return [StateChanged(self._elapsed_s(at_s), state, why)]

    def _let_go(self) -> None:
        """At the end, forget the last minute of samples: of many pods they are large, and the run may wait for long."""
        if not self.state.active:
            self._windows, self._traffic, self._looked_at = Windows(self._roster), None, None
            self._plausible = Plausible()

    def _ready(self, sample: LoadReady) -> None:
        if self._began_at_s is not None:
            return
        self._began_at_s = sample.at_s
        self._windows.begin(sample.at_s)
        self._attribution.begin(sample.at_s)
        if self.state is RunState.STARTING:
            self._move(RunState.RUNNING, sample.at_s)

    def _ticked(self, tick: Tick) -> None:
        if not self._loaded:
            self._ticked_alone(tick)
        elif self._began_at_s is not None:
            self._look(tick.at_s)

    def _ticked_alone(self, tick: Tick) -> None:
        self._ready(LoadReady(tick.at_s))
        counts = self._attribution.counted_alone(tick.at_s)
        if counts is not None:
            self._traffic_seen(counts)
        over = self.decided or self._elapsed_s(tick.at_s) >= self.plan.duration_s
        if over or self.state is RunState.STOPPING:
            self._ended(LoadEnded(tick.at_s))
        else:
            self._look(tick.at_s)

    def _look(self, at_s: float) -> None:
        figures = self._figures()
        if news := self._news():
            self._alert(news.at_s, figures)
            self._give_up(news)
        self._decide(self._elapsed_s(at_s), figures)
        self._snapshot(at_s, figures)

    def _decide(self, elapsed_s: float, figures: Figures) -> None:
        """By evidence that holds at every look, for whoever ends a run when it looks decided looks all the time."""
        may_end = self.plan.until == "decided" and self.state is RunState.RUNNING and not self.decided
        if may_end and self._windows.warmed_up and elapsed_s < self.plan.duration_s and figures.verdict.kind in DECIDED:
            self._decided = figures.verdict
            self._decided_words = f"Decided after {elapsed_s:,.0f} s of at most {self.plan.duration_s:,.0f} s."

    def _news(self) -> TrafficSample | None:
        """The newest counts when nobody has looked at them; the same ones are no second piece of evidence."""
        before, self._looked_at = self._looked_at, self._traffic
        return None if self._traffic is before else self._traffic

    def _traffic_seen(self, sample: TrafficSample) -> None:
        self._ready(LoadReady(sample.at_s))
        self._traffic = sample
        self._health.append(sample.generator)
        self._foreign.traffic_seen(sample)
        self._attribution.traffic_seen(sample)
        self._windows.observe(sample, self._attribution.counted(), self.source, self._attribution.weights)

    def _pods_seen(self, sample: PodsSample) -> None:
        self._foreign.pods_seen(sample)
        at_s = self._elapsed_s(sample.at_s)
        changes = [PodChanged(at_s, pod, change, detail) for pod, change, detail in self._roster.observe(sample)]
        self._changes.extend(changes)
        self._events += [*self._surroundings.observe(at_s, sample), *changes]

    def _pods_lost(self, sample: PodsLost) -> None:
        self._roster.lost(sample.problem)
        self._events += self._surroundings.lost(self._elapsed_s(sample.at_s), sample.problem)

    def _plan_changed(self, sample: PlanChanged) -> None:
        self.plan = self.plan.edited(PlanEdit(sample.users, sample.spawn_rate, sample.arrivals_per_s))
        self._events.append(PlanEdited(self._elapsed_s(sample.at_s), self.plan))

    def _stop_asked(self, sample: StopAsked) -> None:
        if self.state is not RunState.STOPPING:
            self._move(RunState.STOPPING, sample.at_s)

    def _noticed(self, sample: GeneratorNotice) -> None:
        self._notice = self.message = sample.message
        self._events.append(GeneratorNoticed(self._elapsed_s(sample.at_s), sample.message))

    def _ended(self, sample: LoadEnded) -> None:
        stopping = self.state is RunState.STOPPING
        if news := self._news():
            self._alert(news.at_s, self._figures())
        self._attribution.end()
        self._windows.recount(self._attribution.counted())
        why = sample.error or ("" if stopping else failure_sentence(self.plan, self._traffic))
        end = RunState.FAILED if why else RunState.STOPPED if stopping else RunState.FINISHED
        finished = end is RunState.FINISHED
        words = " ".join(part for part in (self._decided_words, self._notice) if part) if finished else ""
        self._move(end, sample.at_s, why or words)
        if self._began_at_s is None:
            self._windows.begin(sample.at_s)
        # Who stops a run when it looks good has looked all the time: only a run that took its time has one look.
        figures = self._figures(at_end=finished and self.plan.until == "duration")
        self._snapshot(sample.at_s, self._as_decided(figures))

    def _figures(self, at_end: bool = False) -> Figures:
        figures = self._windows.figures(self.source, at_end)
        verdict = self._prospect.told(figures.verdict, figures, self.plan)
        weights = figures.whole.pods, self.plan.weights, self._roster.service
        return replace(figures, verdict=with_weights(verdict, *weights))

    def _as_decided(self, figures: Figures) -> Figures:
        """With the verdict that ended the run, also where the last answers left the evidence below what it took."""
        decided = self._decided
        return figures if decided is None or figures.verdict.kind is decided.kind else replace(figures, verdict=decided)

    def _give_up(self, sample: TrafficSample) -> None:
        if self.state is RunState.RUNNING and should_give_up(self.plan, self._elapsed_s(sample.at_s), sample):
            self._move(RunState.FAILED, sample.at_s, failure_sentence(self.plan, sample))

    def _alert(self, at_s: float, figures: Figures) -> None:
        elapsed_s = self._elapsed_s(at_s)
        for change in self._alerts.observe(elapsed_s, figures):
            if change.kind == "cleared" and change.alert.on_balance:
                self._windows.alert_over()
            self._events.append(ALERT_EVENTS[change.kind](elapsed_s, change.alert))

    def _move(self, state: RunState, at_s: float, message: str = "") -> None:
        assert state in MOVES[self.state], f"{self.state} cannot become {state}"
        self.state, self.message = state, message or self._notice
        self._events.append(StateChanged(self._elapsed_s(at_s), state, message))

    def _snapshot(self, at_s: float, figures: Figures) -> None:
        traffic = self._traffic
        facts = Facts(
            plan=self.plan,
            source=self.source,
            figures=figures,
            rows=pod_shares(figures, self._roster),
            listed=self._roster.listed(),
            elapsed_s=self._elapsed_s(at_s),
            changes=(*self._changes, *self._windows.joined()),
            late=self._roster.late,
            service=self._roster.service,
            health=tuple(self._health),
            excess=self._foreign.excess,
            others=self._attribution.others,
            errors=dict(traffic.errors) if traffic else {},
        )
        self.last = snapshot_of(
            facts,
            traffic,
            self._attribution.counting,
            run_id=self.run_id,
            seq=self.next_seq + len(self._events),
            at_epoch_s=at_s + self.epoch_offset_s,
            state=self.state,
            message=self.message,
            alerts=self._alerts.active,
            pods_problem=self._roster.problem_of(figures.whole.roster_known),
            findings=self._diagnosis.at(facts),
        )
        self._events.append(SnapshotTaken(facts.elapsed_s, self.last))

    def _elapsed_s(self, at_s: float) -> float:
        return 0.0 if self._began_at_s is None else max(0.0, at_s - self._began_at_s)
