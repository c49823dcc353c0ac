"""The cells of the power matrix, and what is asked of each: what must be found, and what must never be said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import get_args

from tests.bench.power_traffic import (
    BACKOFF_FIRST_S,
    EACH,
    TIMEOUT_S,
    Case,
    Layer,
    Policy,
    Scene,
    Setting,
    picks_needed,
    size_of,
)

SECONDS, WATCH_S, EDGE_S, HOUR_S = 30, 180, 300, 3_600
PODS, PICKS = (2, 5, 20, 200), (50, 500, 5_000)
ALERT_EVIDENCE = 1e4
PICKS_PER_POD = 5
PER_REQUEST: tuple[Layer, ...] = ("layer 7", "mixture", "sticky")
DEAD_VARIANTS: tuple[Case, ...] = ("dead, refuses", "dead, resets", "dead, 5xx")
MAIN: tuple[Case, ...] = ("fair", "hot 2", "starved", "dead, drops")
CLEAR: tuple[Case, ...] = ("hot 2", "hot 3", "starved", "all on one", "half idle", "dead, drops", *DEAD_VARIANTS[:2])
"""Cases that have to alert once there are picks enough."""

SILENT: frozenset[str] = frozenset({"silent_pod"})
LAYER7_PREFERS: frozenset[str] = frozenset({"layer7_weights", "layer7_left_out", "layer7_policy"})
PREFERS: frozenset[str] = frozenset({"uneven_connections"}) | LAYER7_PREFERS
RIGHT: dict[Case, frozenset[str]] = {
    "hot 1.25": PREFERS,
    "hot 2": PREFERS,
    "hot 3": PREFERS,
    "starved": PREFERS,
    "dead, drops": SILENT,
    "dead, refuses": SILENT,
    "dead, resets": SILENT,
    "dead, 5xx": frozenset({"failing_pod"}),
    "all on one": frozenset({"single_source"}),
    "half idle": frozenset({"node_local"}),
    "joined late": frozenset({"late_pods"}),
}
"""Codes of findings of which one has to be named."""

TOO_EARLY: frozenset[str] = frozenset({"too_few_connections", "keep_alive_pinning"})
"""What is true of the first seconds of any run."""

ALSO_TRUE: dict[Case, frozenset[str]] = {"all on one": PREFERS, "half idle": PREFERS}


@dataclass(frozen=True, slots=True)
class Goal:
    """name: a figure of the cell. most: share of trials that may be wrong. wrong_when: the figure's value that is."""

    name: str
    most: float
    wrong_when: bool


def scenes() -> Iterator[Scene]:
    """Every cell of the full run."""
    for layer in get_args(Layer):
        for policy in get_args(Policy):
            if policy == "new" and layer != "layer 4":
                continue  # one request a connection: all of them are the same balancer
            for pods in PODS:
                for picks in PICKS:
                    yield from _of_balancer(layer, policy, pods, picks)
    yield from _long()
    yield from _settings()
    yield from _lossy()


def _of_balancer(layer: Layer, policy: Policy, pods: int, picks: int) -> Iterator[Scene]:
    for case in get_args(Case):
        scene = Scene(case, layer, policy, pods, picks, SECONDS)
        if _sensible(scene):
            yield scene
            if policy == "kept" and case in MAIN and pods in (5, 20):
                yield replace(scene, warm_up_s=5)
                if pods == 5 and picks == 500:
                    yield replace(scene, processes=2)


def _sensible(scene: Scene) -> bool:
    if scene.case == "edge" or (scene.case == "half idle" and scene.pods == 2):
        return False
    if scene.case == "all on one":  # a hash of the client's address; one that picks anew cannot do it
        return scene.layer in ("layer 4", "hash")
    if scene.case in DEAD_VARIANTS:
        return scene.pods in (5, 20)
    few_picks_for_many_pods = scene.pods == 200 and (scene.picks == 50 or scene.policy == "every 5")
    return not few_picks_for_many_pods or scene.case in ("fair", "half idle")


def _long() -> Iterator[Scene]:
    """Watched for three minutes, for five at the threshold itself, and for an hour."""
    for layer in ("layer 4", "layer 7", "mixture"):
        for case in ("hot 2", "starved", "dead, drops"):
            yield Scene(case, layer, "kept", 5, 1_000, WATCH_S)  # type: ignore[arg-type]
    for pods, picks in ((2, 30_000), (5, 30_000), (20, 45_000)):
        yield Scene("edge", "layer 4", "new", pods, picks, EDGE_S)
    for pods in (5, 20):
        for layer, policy, picks in HOURS:
            yield Scene("fair", layer, policy, pods, picks, HOUR_S)


def _settings() -> Iterator[Scene]:
    """Where the pods are not known, are not meant to get the same, or are replaced in turn."""
    for setting, cases in SETTINGS.items():
        for case in cases:
            for layer, policy in (("layer 4", "every 5"), ("layer 4", "new"), ("layer 7", "kept")):
                for pods in (5, 20):
                    scene = Scene(case, layer, policy, pods, 5_000, SECONDS, setting=setting)  # type: ignore[arg-type]
                    if case != "all on one" or layer == "layer 4":
                        yield scene


def _lossy() -> Iterator[Scene]:
    """Where every pod answers, and requests to any of them are lost."""
    for policy, picks in (("kept", 20), ("kept", 50), ("every 5", 500), ("new", 500)):
        for pods in LOSSY_PODS:
            yield Scene("fair", "layer 4", policy, pods, picks, SECONDS, setting="requests lost")  # type: ignore[arg-type]


LOSSY_PODS = (3, 5, 10, 50)
SETTINGS: dict[Setting, tuple[Case, ...]] = {
    "unknown roster": ("fair", "hot 2", "starved", "all on one"),
    "declared weights": ("fair", "hot 2", "starved", "dead, drops"),
    "rollout": ("fair", "hot 2", "starved"),
}
"""A pod that never answers is nobody's where the pods are not known."""

HOURS: tuple[tuple[Layer, Policy, int], ...] = (
    ("layer 4", "kept", 50),
    ("layer 4", "new", 36_000),
    ("layer 7", "kept", 36_000),
    ("sticky", "kept", 3_600),
)


def truly_even(scene: Scene) -> bool:
    """A pod that joins late gets its share from then on where each request is a pick of its own."""
    at_once = scene.layer == "layer 7" or scene.policy == "new"
    return scene.case in ("fair", "dead, 5xx") or (scene.case == "joined late" and at_once)


def truly_uneven(scene: Scene) -> bool:
    """Neither: one that gets its share once older connections have ended."""
    pinned = scene.policy == "kept" and scene.layer in ("layer 4", "hash", "mixture")
    return not truly_even(scene) and (scene.case != "joined late" or pinned)


def picks_had(scene: Scene) -> float:
    """The scene's picks, less what users lose who wait for a dead pod."""
    if not scene.case.startswith("dead") or scene.case == "dead, 5xx":
        return float(scene.picks)
    if _by_connection(scene):
        return float(scene.picks)
    lost_s = BACKOFF_FIRST_S + (TIMEOUT_S if scene.case == "dead, drops" else 0.0)
    requests = 1 if scene.policy == "new" or scene.layer in ("layer 7", "mixture") else 5
    spent_s = requests * scene.seconds / size_of(scene)[1]
    return scene.picks * spent_s / (spent_s + lost_s / scene.pods)


def picks_told(scene: Scene) -> float:
    """Those of them that can be told: where one of two pods gets nearly all, a connection hardly ever changes its pod,
    though each request is a pick, and no more than the connections can be counted on."""
    had, (users, requests) = picks_had(scene), size_of(scene)
    if scene.pods > 2 or _by_connection(scene) or not (scene.case == "starved" or scene.case.startswith("dead")):
        return had
    return min(had, users * (requests / (EACH[scene.policy] or requests)))


def _by_connection(scene: Scene) -> bool:
    return scene.policy == "kept" and scene.layer in ("layer 4", "hash")


def plain(scene: Scene) -> bool:
    """There are picks enough to raise an alert in nearly all runs."""
    case: Case = "starved" if scene.case == "joined late" else scene.case
    needed = picks_needed(case, scene.pods, ALERT_EVIDENCE, scene.setting)
    if needed and scene.case == "joined late" and scene.layer == "mixture":  # it lacks but half of its share
        needed *= 4
    return needed is not None and picks_told(scene) >= needed


def goals_of(scene: Scene) -> list[Goal]:
    """What the cell has to reach."""
    if scene.case == "edge":
        return [Goal("ever_even", 0.05, True)]
    never = [Goal("cause_wrong", 0.01, True)]
    if scene.setting == "unknown roster" and scene.case == "all on one":  # nobody knows whether there are others
        return [*never, *(Goal(name, 0.01, True) for name in ("ever_even", "ever_uneven", "alerted"))]
    if scene.case in RIGHT and _to_be_named(scene):
        never.append(Goal("cause_right", 0.05, False))
    if truly_even(scene):
        return [Goal("ever_uneven", 0.01, True), Goal("alerted", 0.01, True), *never]
    if not truly_uneven(scene):
        return never
    never.append(Goal("wrongly_ended", 0.0, True))
    if scene.case != "joined late":  # which may be even until then
        never.append(Goal("ever_even", 0.05, True))
    return [Goal("alerted", 0.01, False), *never] if scene.case in CLEAR and plain(scene) else never


def _to_be_named(scene: Scene) -> bool:
    if scene.case == "dead, 5xx":
        return scene.picks >= 2 * PICKS_PER_POD * scene.pods
    return plain(scene) and truly_uneven(scene)


def named_right(scene: Scene, codes: Iterable[str]) -> bool:
    """One of these causes is what the scene was made with."""
    right = RIGHT.get(scene.case, frozenset())
    if scene.setting == "rollout" and scene.case == "starved":  # it came, and hardly got anything since
        right |= {"taken_up_late"}
    if scene.case == "starved" and scene.pods == 2:  # nearly all on the other one
        right |= RIGHT["all on one"]
    return bool(right & set(codes))


def named_wrong(scene: Scene, codes: Iterable[str]) -> bool:
    """One of these causes is not at work in the scene."""
    return bool(set(codes) - _true_of(scene))


def _true_of(scene: Scene) -> frozenset[str]:
    true = ALSO_TRUE.get(scene.case, frozenset())
    if scene.setting == "rollout":
        true |= {"unready_pods", "taken_up_late"} if scene.case == "starved" else {"unready_pods"}
    if scene.case == "starved" and scene.pods == 2:  # nearly all on the other one
        true |= RIGHT["all on one"]
    if not (scene.case == "joined late" and truly_even(scene)):
        true |= RIGHT.get(scene.case, frozenset())
    true = true | {"layer7"} if scene.layer in PER_REQUEST else true - LAYER7_PREFERS
    if scene.policy == "kept" and scene.layer != "layer 7" and not (plain(scene) and scene.case in CLEAR):
        true |= {"keep_alive_pinning"}
    if picks_had(scene) < PICKS_PER_POD * scene.pods:
        true |= {"too_few_connections"}
    if picks_told(scene) < picks_had(scene) and not plain(scene):  # as far as anybody can tell
        true |= {"too_few_connections", "keep_alive_pinning"}
    return true
