"""In which order causes are told, and what stays of one that is over."""

from collections.abc import Mapping
from dataclasses import replace

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.experiment import decisive_plan
from scale_app.domain.findings import diagnose
from scale_app.domain.plan import LoadPlan
from scale_app.domain.record import RunRecord
from scale_app.domain.recording import Began, WholeRun, replayed
from scale_app.domain.run import Run
from scale_app.domain.samples import (
    ConnectionLoads,
    LoadEnded,
    LoadReady,
    PodCount,
    PodSeen,
    PodsSample,
    Sample,
    Tick,
    TrafficSample,
)
from scale_app.domain.snapshot import Finding, RunState
from scale_app.domain.source import Source
from scale_app.domain.verdict import VerdictKind
from tests.unit.domain.findings.scenes import Scene, pods

PODS = "abc"
STICKY = ServiceSettings(session_affinity="ClientIP")
FAIR = ServiceSettings()
WEIGHTED = ServiceSettings(weights={"a": 1.0, "b": 4.0, "c": 1.0})
PLAN = LoadPlan(duration_s=60, requests_per_connection=1)
BY_WEIGHT = {"a": 25, "b": 100, "c": 25}
TO_ONE = {"a": 150, "b": 0, "c": 0}
ALIKE = {"a": 50, "b": 50, "c": 50}
NODES = {"a": "node-a", "b": "node-b", "c": "node-b"}


def played(
    removed_s: int, seconds: int = 30, after: Mapping[str, int] = ALIKE, weighted_s: int = 0
) -> tuple[list[Sample], Run, list[tuple[Finding, ...]]]:
    """A Service with session affinity, which is removed after so many seconds: samples, run, findings by second.

    after: requests per second to each pod since then. weighted_s: so long it has weights instead at first."""
    counts, samples = dict.fromkeys(PODS, 0), list[Sample]()
    run, told = Run("run-1", PLAN, Source.HEADER, 0.0), list[tuple[Finding, ...]]()
    pods_seen = tuple(PodSeen(name, node=NODES[name]) for name in PODS)
    for second in range(seconds + 1):
        now = WEIGHTED if second < weighted_s else STICKY if second < removed_s else FAIR
        samples.append(PodsSample(float(second), pods_seen, now))
        if not second:
            samples.append(LoadReady(0.0))
            continue
        per_s = BY_WEIGHT if second <= weighted_s else TO_ONE if second <= removed_s else after
        counts = {name: count + per_s[name] for name, count in counts.items()}
        answered = {name: PodCount(count, connections=count) for name, count in counts.items() if count}
        total = sum(counts.values())
        samples.append(
            TrafficSample(float(second), 10, total, answered, loads=ConnectionLoads({1: total}, switches={}))
        )
        samples.append(Tick(float(second)))
    samples.append(LoadEnded(float(seconds)))
    for sample in samples:
        run.observe(sample)
        if isinstance(sample, Tick) and run.last:
            told.append(run.last.findings)
    return samples, run, told


def affinity(findings: tuple[Finding, ...]) -> Finding | None:
    return next((finding for finding in findings if finding.code == "session_affinity"), None)


def test_a_cause_that_was_certain_and_is_removed_in_mid_run_stays_with_its_time() -> None:
    samples, run, told = played(removed_s=10)
    now = affinity(told[5])
    assert now is not None
    assert now.over_s is None
    assert run.last is not None
    over = affinity(run.last.findings)
    assert over is not None
    assert over.over_s == 9
    assert over.title == "The Service ties each client address to one pod (until 9 s)"
    assert over.evidence.startswith("From 1 s to 9 s: The Service has sessionAffinity: ClientIP")
    assert over.remedy == "This is over. To judge the work without it, run the same plan again."
    assert over.patch == ""
    record = RunRecord("run-1", PLAN, Source.HEADER, RunState.FINISHED, 0.0, last=run.last)
    assert decisive_plan(record) is None
    again = replayed(WholeRun(record, recording=(Began(PLAN, Source.HEADER, 0.0, ticks=True), *samples)))
    assert again.record.last is not None
    assert again.record.last.findings == run.last.findings


def test_a_cause_that_is_over_explains_what_the_counts_since_the_start_show() -> None:
    """Meanwhile the share of the one pod falls, and is for a second what equal shares of the nodes would make it."""
    _, run, told = played(removed_s=10)
    codes = {finding.code for findings in told for finding in findings if finding.explains == "uneven"}
    assert codes == {"session_affinity"}
    assert run.last is not None
    assert run.last.verdict.kind is VerdictKind.UNEVEN


def test_of_two_causes_that_are_over_the_one_that_lasted_longer_comes_first() -> None:
    _, run, _ = played(removed_s=16, weighted_s=5, seconds=40)
    assert run.last is not None
    assert [finding.code for finding in run.last.findings] == ["session_affinity", "unequal_weights"]


def test_what_is_uneven_after_a_cause_is_over_has_another_which_comes_after_it() -> None:
    _, run, _ = played(removed_s=10, after={"a": 90, "b": 30, "c": 30})
    assert run.last is not None
    assert [finding.code for finding in run.last.findings] == ["session_affinity", "uneven_connections"]


def test_equal_shares_of_nodes_that_stay_are_told_though_another_cause_came_before() -> None:
    _, run, told = played(removed_s=10, after={"a": 80, "b": 40, "c": 40}, seconds=80)
    assert "uneven_places" not in {finding.code for findings in told[:20] for finding in findings}
    assert run.last is not None
    assert [finding.code for finding in run.last.findings] == ["uneven_places", "session_affinity"]


def test_what_was_seen_for_a_moment_only_is_not_kept() -> None:
    _, run, told = played(removed_s=2)
    assert affinity(told[0]) is not None
    assert run.last is not None
    assert affinity(run.last.findings) is None


def test_a_cause_that_goes_on_is_told_once_and_is_not_over() -> None:
    _, run, _ = played(removed_s=99)
    assert run.last is not None
    found = [finding for finding in run.last.findings if finding.code == "session_affinity"]
    assert [finding.over_s for finding in found] == [None]


def test_what_explains_uneven_work_comes_before_what_leaves_it_open_and_that_before_asides() -> None:
    few = Scene(pods([6, 2, 2], a={"ready": True}), excess={"a": 400}, each=1)
    by_answers = [finding.code for finding in diagnose(few.facts())]
    assert by_answers == ["too_few_connections", "foreign_traffic"]
    beside = replace(few.facts(), source=Source.PROMETHEUS)
    assert [finding.code for finding in diagnose(beside)] == ["foreign_traffic", "too_few_connections"]


def test_a_likely_cause_of_uneven_work_comes_before_a_certain_fact_beside_it() -> None:
    scene = Scene(pods([400] * 4 + [0]), each=1, errors={"timeout": 400}, excess={"a": 400})
    assert [finding.code for finding in diagnose(scene.facts())] == ["silent_pod", "foreign_traffic"]
