"""The short form of `make power`: telling cells whose truth is known, seeded, through the counters and the run."""

from dataclasses import asdict, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.bench.power import SHORT, line, measure
from tests.bench.power_cells import SECONDS, picks_had, plain, scenes, truly_even, truly_uneven
from tests.bench.power_table import kept_section, section, write_section
from tests.bench.power_traffic import GATEWAY, HEARS_S, TIMEOUT, Scene, meant_of, picks_needed, shares_of, traffic_of
from tests.bench.power_watch import Seen

TRIALS = 2
OLDER = tuple(
    Scene(case, "layer 4", "kept", 5, 500, 12, warm_up_s=5)  # type: ignore[arg-type]
    for case in ("starved", "dead, drops")
)
"""Behind connections that are older than what is judged."""
ALONE = (Scene("dead, drops", "layer 4", "kept", 2, 50, 12), Scene("joined late", "layer 4", "kept", 2, 50, SECONDS))
"""One of two pods answers, and no hash of one source is the reason."""
BESIDE_QUIET_ONES = Scene("dead, refuses", "hash", "every 5", 20, 500, SECONDS)
"""A hash leaves some pods quiet for a while, which must not hide the one that never answers."""
SETTINGS = (
    Scene("fair", "layer 4", "every 5", 5, 5_000, SECONDS, setting="unknown roster"),
    Scene("all on one", "layer 4", "new", 5, 5_000, SECONDS, setting="unknown roster"),
    Scene("fair", "layer 4", "every 5", 5, 5_000, SECONDS, setting="declared weights"),
    Scene("hot 2", "layer 4", "new", 5, 5_000, SECONDS, setting="declared weights"),
    Scene("fair", "layer 4", "every 5", 5, 5_000, SECONDS, setting="rollout"),
    Scene("hot 2", "layer 7", "kept", 5, 5_000, SECONDS, setting="rollout"),
    Scene("starved", "layer 7", "kept", 5, 5_000, SECONDS, setting="rollout"),
)
"""At layer 7 pods that replaced others were called late to kept connections."""
HOLDS = (*SHORT, *SETTINGS, *OLDER, *ALONE, BESIDE_QUIET_ONES, Scene("joined late", "mixture", "kept", 5, 500, SECONDS))


@pytest.mark.parametrize("scene", HOLDS, ids=str)
def test_what_is_wrong_is_found_and_nothing_else_is_said(scene: Scene) -> None:
    cell = measure(scene, first=TRIALS, most=TRIALS)
    assert cell.ok, line(cell)


def test_the_same_seed_gives_the_same_figures() -> None:
    assert measure(SHORT[0], first=2, most=2) == measure(SHORT[0], first=2, most=2)


@pytest.mark.parametrize(
    ("bad", "trials", "ok"),
    [([], 4, True), ([3], 100, True), ([3, 30], 31, False), ([0, 1], 4, False)],
    ids=["all well", "one of a hundred", "too many later", "too many at once"],
)
def test_as_many_trials_as_it_takes_to_see_whether_the_goal_is_reached(bad: list[int], trials: int, ok: bool) -> None:
    numbers = count()

    def watched(scene: Scene, rng: np.random.Generator) -> Seen:
        return Seen(alerted_s=7, uneven_s=5) if next(numbers) in bad else Seen()

    cell = measure(SHORT[0], watching=watched)
    assert (cell.trials, cell.ok) == (trials, ok)
    assert cell.alerted == len(bad) / trials


def test_two_processes_are_told_together_what_one_would_be() -> None:
    scene = Scene("starved", "layer 4", "kept", 5, 500, 12)
    one, two = (measure(replace(scene, processes=n), first=2, most=2) for n in (1, 2))
    assert one.median_picks == two.median_picks == 500
    assert two.alerted == 1


def test_no_cell_is_measured_twice() -> None:
    every = list(scenes())
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("case", ["fair", "edge", "hot 2", "starved", "all on one", "half idle"])
def test_shares_are_those_of_the_case(case: str) -> None:
    shares = shares_of(case, 10)  # type: ignore[arg-type]
    assert shares.sum() == pytest.approx(1)
    expected = {"fair": 0.1, "hot 2": 2 / 11, "starved": 0.02 / 9.02, "all on one": 1.0, "half idle": 0.2}
    assert shares[0] == pytest.approx(expected.get(case, 0.1 * (1 + 0.025 * 3)))


def test_shares_that_are_meant_are_those_of_a_fair_balancer() -> None:
    meant, fair = meant_of("declared weights", 5), shares_of("fair", 5, "declared weights")
    assert meant.tolist() == fair.tolist() == pytest.approx([3 / 7] + [1 / 7] * 4)
    assert picks_needed("fair", 5, 1e4, "declared weights") is None
    assert picks_needed("hot 2", 5, 1e4, "declared weights") is not None


def test_in_a_rollout_each_pod_gets_nothing_once_the_balancer_has_heard_of_its_successor() -> None:
    scene = Scene("starved", "layer 4", "new", 5, 5_000, SECONDS, setting="rollout")
    traffic = traffic_of(scene, np.random.default_rng(0))
    for pod, replaced_s in enumerate(scene.replaced_s.tolist()):
        assert traffic.second[traffic.pod == pod].max() <= replaced_s + HEARS_S
        assert traffic.second[traffic.pod == pod + 5].min() >= int(replaced_s + HEARS_S)
    late = traffic.pod[traffic.second > 22]
    assert set(late.tolist()) <= set(range(5, 10))
    assert (late == 5).mean() < 0.02 < 0.15 < (traffic.pod[traffic.second < 6] == 0).mean()


def test_an_edge_has_exactly_the_cv_of_the_threshold() -> None:
    shares = shares_of("edge", 7)
    assert shares.std() / shares.mean() == pytest.approx(0.025)


def test_kept_connections_stay_with_their_pod_at_layer_4_and_switch_at_layer_7() -> None:
    assert _switches("layer 4") == 0
    assert _switches("hash") == 1
    assert _switches("layer 7") == pytest.approx(0.8, abs=0.15)
    assert _switches("sticky") == pytest.approx(0.8 * 0.2, abs=0.05)


def _switches(layer: str) -> float:
    """Share of a user's answers that came from another pod than the one before; of hash, how many."""
    traffic = traffic_of(Scene("fair", layer, "kept", 5, 50, 10), np.random.default_rng(3))  # type: ignore[arg-type]
    order = np.argsort(traffic.user, kind="stable")
    user, pod = traffic.user[order], traffic.pod[order]
    switched = pod[1:] != pod[:-1]
    same_user = user[1:] == user[:-1]
    return float(switched[same_user].sum() if layer == "hash" else switched[same_user].mean())


@pytest.mark.parametrize(("layer", "policy"), [("layer 4", "new"), ("layer 7", "kept"), ("layer 4", "every 5")])
def test_a_balancer_picks_as_often_as_the_scene_says(layer: str, policy: str) -> None:
    scene = Scene("fair", layer, policy, 5, 500, 10)  # type: ignore[arg-type]
    traffic = traffic_of(scene, np.random.default_rng(0))
    picks = traffic.opens.sum() if layer == "layer 4" else traffic.user.size
    assert picks == pytest.approx(500, rel=0.05)


def test_users_of_a_dead_pod_wait_and_a_proxy_answers_in_its_place() -> None:
    def outcomes(case: str, layer: str) -> set[int]:
        scene = Scene(case, layer, "new", 5, 500, 10)  # type: ignore[arg-type]
        traffic = traffic_of(scene, np.random.default_rng(0))
        return set(traffic.outcome[traffic.pod == 0].tolist())

    assert outcomes("dead, drops", "layer 4") == {TIMEOUT}
    assert outcomes("dead, refuses", "layer 7") == {GATEWAY}
    waiting = Scene("dead, drops", "layer 4", "new", 5, 5_000, 30)
    assert picks_had(waiting) == pytest.approx(traffic_of(waiting, np.random.default_rng(0)).user.size, rel=0.15)


def test_a_pod_that_joins_late_is_due_its_share_unless_connections_are_pinned() -> None:
    assert truly_even(Scene("joined late", "layer 7", "kept", 5, 500, 30))
    assert truly_uneven(Scene("joined late", "layer 4", "kept", 5, 500, 30))
    between = Scene("joined late", "layer 4", "every 5", 5, 500, 30)
    assert not truly_even(between)
    assert not truly_uneven(between)
    traffic = traffic_of(Scene("joined late", "layer 4", "new", 5, 5_000, 30), np.random.default_rng(0))
    assert (traffic.pod[traffic.second < 10] != 0).all()
    assert (traffic.pod[traffic.second > 11] == 0).mean() == pytest.approx(0.2, abs=0.03)


def test_a_clear_case_needs_few_picks_and_a_faint_one_many() -> None:
    needed = [picks_needed(case, 5, 1e4) for case in ("all on one", "starved", "hot 2", "hot 1.25")]  # type: ignore[arg-type]
    assert needed == sorted(needed)  # type: ignore[type-var]
    assert picks_needed("fair", 5, 1e4) is None
    assert plain(Scene("all on one", "layer 4", "kept", 20, 50, 30))
    assert not plain(Scene("starved", "layer 4", "kept", 20, 50, 30))
    # Nobody can tell ten connections that are kept by the only other pod from fifty picks of it.
    assert not plain(Scene("starved", "layer 7", "every 5", 2, 50, 30))
    assert plain(Scene("starved", "layer 7", "every 5", 2, 500, 30))


def test_the_section_tells_of_a_missed_goal_and_keeps_its_place_in_the_page(tmp_path: Path) -> None:
    cell = asdict(measure(SHORT[0], first=1, most=1))
    cell |= {"ok": False, "missed": ["cause_wrong"], "wrong_causes": {"slow_pod": 1}}
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nText.\n")
    assert kept_section(page) == ""
    for _ in range(2):
        write_section(page, [cell], 1.0)
    assert page.read_text() == f"# Title\n\nText.\n\n{section([cell], 1.0)}"
    assert page.read_text() == f"# Title\n\nText.\n{kept_section(page)}"
    assert "Cells that miss a goal: **1** of 1." in page.read_text()
    assert "slow_pod" in page.read_text()
