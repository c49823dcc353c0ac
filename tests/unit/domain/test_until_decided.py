"""A run that ends as soon as it is decided: by evidence that holds at every look, and not before."""

from __future__ import annotations

import pytest

from scale_app.domain.errors import PlanError
from scale_app.domain.events import Event, StateChanged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.run import Run
from scale_app.domain.samples import ConnectionLoads, LoadEnded, LoadReady, PodCount, PodSeen, PodsSample, TrafficSample
from scale_app.domain.snapshot import RunState, Snapshot, Source
from scale_app.domain.verdict import VerdictKind
from tests.fakes_load import observed

EVEN, HOT = (400, 400, 400), (600, 300, 300)


class Played:
    """A run of new connections only, of whose pods each answers so many requests a second."""

    def __init__(self, plan: LoadPlan, listed: bool = True) -> None:
        self.run = Run("run-1", plan, Source.HEADER, 0.0)
        self.counts = [0, 0, 0]
        self.second = 0
        if listed:
            self.run.observe(PodsSample(0.0, tuple(PodSeen(name) for name in "abc")))
        self.run.observe(LoadReady(0.0))

    def seconds(self, per_s: tuple[int, ...], times: int) -> int | None:
        """The second at which it was decided, None when it was not."""
        for _ in range(times):
            self.second += 1
            self.counts = [count + more for count, more in zip(self.counts, per_s, strict=True)]
            observed(self.run, self._sample())
            if self.run.decided:
                return self.second
        return None

    def end(self, error: str = "") -> list[Event]:
        return observed(self.run, self._sample(), LoadEnded(self.second + 0.1, error))

    def _sample(self) -> TrafficSample:
        pods = {name: PodCount(n, connections=n) for name, n in zip("abc", self.counts, strict=True) if n}
        total = sum(self.counts)
        loads = ConnectionLoads({1: total}, switches={})
        return TrafficSample(float(self.second), 50, total, pods, connections=total, loads=loads)

    @property
    def last(self) -> Snapshot:
        assert self.run.last is not None
        return self.run.last


PLAN = LoadPlan(duration_s=120, until="decided")


@pytest.mark.parametrize(("per_s", "kind"), [(EVEN, VerdictKind.EVEN), (HOT, VerdictKind.UNEVEN)])
def test_it_ends_when_it_is_decided_and_says_how_soon_that_was(per_s: tuple[int, ...], kind: VerdictKind) -> None:
    played = Played(PLAN)
    decided_s = played.seconds(per_s, 60)
    assert decided_s is not None
    (ended,) = [event for event in played.end() if isinstance(event, StateChanged)]
    said = f"Decided after {decided_s} s of at most 120 s."
    assert (ended.state, ended.message) == (RunState.FINISHED, said)
    assert (played.last.verdict.kind, played.last.message) == (kind, said)
    assert played.last.verdict.every_look


def test_a_run_that_is_to_take_its_time_is_not_ended() -> None:
    played = Played(LoadPlan(duration_s=120))
    assert played.seconds(HOT, 60) is None
    played.end()
    assert (played.run.message, played.last.verdict.every_look) == ("", False)


def test_what_is_not_decided_ends_at_its_duration_as_undecided() -> None:
    played = Played(PLAN)
    assert played.seconds((11, 10, 10), 20) is None
    played.end()
    assert (played.run.state, played.run.message) == (RunState.FINISHED, "")
    assert played.last.verdict.kind is VerdictKind.UNDECIDED
    assert played.last.verdict.every_look


def test_what_only_the_last_counts_decide_has_ended_at_its_duration_with_a_verdict_by_evidence() -> None:
    played = Played(LoadPlan(duration_s=12, until="decided"))
    assert played.seconds((11, 10, 10), 5) is None
    played.second, played.counts = 12, [6_000, 3_000, 3_000]  # what a server that stood still hears at the end
    played.end()
    assert (played.run.state, played.run.message) == (RunState.FINISHED, "")
    assert (played.last.verdict.kind, played.last.verdict.every_look) == (VerdictKind.UNEVEN, True)


def test_nothing_is_decided_by_the_warm_up() -> None:
    played = Played(LoadPlan(duration_s=120, warm_up_s=10, until="decided"))
    assert played.seconds(HOT, 10) is None
    played.seconds(EVEN, 110)
    played.end()
    assert played.last.verdict.kind is VerdictKind.EVEN


def test_one_pod_that_answered_decides_nothing_while_nobody_lists_the_pods() -> None:
    played = Played(PLAN, listed=False)
    assert played.seconds((100, 0, 0), 3) is None
    assert played.last.verdict.kind is VerdictKind.UNDECIDED
    assert played.seconds(EVEN, 60) is not None


def test_the_last_answers_do_not_take_the_decision_back() -> None:
    played = Played(PLAN)
    played.seconds(EVEN, 60)
    played.counts[0] += 500
    played.end()
    assert played.last.verdict.kind is VerdictKind.EVEN
    assert played.last.requests == sum(played.counts)


def test_a_load_that_fails_after_the_decision_fails_the_run() -> None:
    played = Played(PLAN)
    played.seconds(HOT, 60)
    played.end("The worker was killed.")
    assert (played.run.state, played.run.message) == (RunState.FAILED, "The worker was killed.")


def test_another_end_is_refused() -> None:
    with pytest.raises(PlanError, match="either duration or decided"):
        LoadPlan(until="bored")  # type: ignore[arg-type]
