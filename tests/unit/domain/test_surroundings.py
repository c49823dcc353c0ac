from dataclasses import replace

from scale_app.domain.cluster import ServiceSettings
from scale_app.domain.plan import LoadPlan
from scale_app.domain.roster import Surroundings
from scale_app.domain.run import Run
from scale_app.domain.samples import LoadReady, PodSeen, PodsLost, PodsSample, PodUsage, TrafficSample
from scale_app.domain.snapshot import Snapshot, Source
from tests.fakes_load import observed

PODS = PodsSample(0.0, (PodSeen("a", uid="1"),), ServiceSettings(), nodes={"n1": True}, replicas={"Deployment cart": 3})


def told(*samples: PodsSample) -> list[tuple[str, str, str]]:
    surroundings = Surroundings()
    return [(e.subject, e.change, e.detail) for sample in samples for e in surroundings.observe(0.0, sample)]


def test_the_first_list_tells_nothing_and_the_same_again_neither() -> None:
    assert told(PODS, PODS) == []


def test_scaling_is_told_with_both_numbers() -> None:
    scaled = replace(PODS, replicas={"Deployment cart": 6, "StatefulSet new": 1})
    assert told(PODS, scaled) == [("Deployment cart", "scaled", "from 3 to 6 pods")]


def test_nodes_that_come_go_or_fail_are_told() -> None:
    after = replace(PODS, nodes={"n1": False, "n2": True})
    assert told(PODS, after, replace(PODS, nodes={"n2": True})) == [
        ("n1", "node_unready", ""),
        ("n2", "node_joined", ""),
        ("n1", "node_left", ""),
    ]
    assert told(PODS, replace(PODS, nodes=None), PODS) == []


def test_changed_settings_are_told_with_what_they_are_now() -> None:
    after = replace(PODS, service=ServiceSettings(session_affinity="ClientIP", internal_traffic_policy="Local"))
    assert told(PODS, after) == [
        ("Service", "settings", "session affinity is now ClientIP, internal traffic policy is now Local")
    ]


def test_changed_weights_are_told_pod_by_pod() -> None:
    after = replace(PODS, service=ServiceSettings(weights={"cart-1": 3.0, "cart-2": 1.0}))
    assert told(PODS, after) == [("Service", "settings", "weights are now cart-1: 3, cart-2: 1")]


def test_a_watch_that_is_lost_is_told_once_and_so_is_its_return() -> None:
    surroundings = Surroundings()
    lost = [*surroundings.lost(1.0, "Away."), *surroundings.lost(2.0, "Still away.")]
    back = [*surroundings.observe(3.0, PODS), *surroundings.observe(4.0, PODS)]
    assert [(event.elapsed_s, event.change, event.detail) for event in lost + back] == [
        (1.0, "watch_lost", "Away."),
        (3.0, "watch_back", ""),
    ]


def snapshot_after(*samples: PodsSample | PodsLost) -> Snapshot:
    run = Run("r", LoadPlan("http://cart.shop.svc/"), Source.HEADER, 0.0)
    observed(run, LoadReady(0.0))
    for sample in samples:
        observed(run, sample)
    observed(run, TrafficSample(1.0, 1, 0))
    assert run.last is not None
    return run.last


def test_a_snapshot_says_that_the_pods_may_be_old_and_keeps_them() -> None:
    lost = snapshot_after(PODS, PodsLost(0.5, "Away."))
    assert lost.pods_problem == "Away."
    assert [row.name for row in lost.pods] == ["a"]
    assert snapshot_after(PODS, PodsLost(0.5, "Away."), PODS).pods_problem == ""
    assert snapshot_after(replace(PODS, missing="No right.")).pods_problem == "No right."


def test_a_snapshot_shows_settings_restarts_and_usage() -> None:
    pod = PodSeen("a", zone="z", restarts=2)
    shown = snapshot_after(replace(PODS, pods=(pod,), usage={"a": PodUsage(0.5, 1_000)}))
    (row,) = shown.pods
    assert (row.zone, row.restarts, row.cpu_cores, row.memory_bytes) == ("z", 2, 0.5, 1_000)
    assert shown.service == ServiceSettings()


def test_usage_changes_no_score() -> None:
    without = snapshot_after(PODS)
    shown = snapshot_after(replace(PODS, usage={"a": PodUsage(9.0, 1)}))
    assert (without.balance, without.verdict) == (shown.balance, shown.verdict)


def test_what_leads_to_a_service_is_told_line_by_line() -> None:
    seen = Surroundings()
    list(seen.observe(0.0, PODS))
    after = replace(PODS, service=ServiceSettings(leading=("Ingress a: affinity: cookie", "Ingress b: canary: true")))
    (change,) = seen.observe(1.0, after)
    assert change.detail == "leading is now Ingress a: affinity: cookie; Ingress b: canary: true"
