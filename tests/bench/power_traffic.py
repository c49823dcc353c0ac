"""Made-up traffic whose truth is known: users behind a balancer, who sends each connection or request to which pod.

Knows nothing of the project: what it makes are arrays of what ended when. Users are a closed loop, as the load
generator's are: who waits for a pod that does not answer sends nothing meanwhile. Seeded, vectorised over the users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

Layer = Literal["layer 4", "layer 7", "hash", "mixture", "sticky"]
Policy = Literal["kept", "every 5", "new"]
Case = Literal[
    "fair",
    "edge",
    "hot 1.25",
    "hot 2",
    "hot 3",
    "starved",
    "dead, drops",
    "dead, refuses",
    "dead, resets",
    "dead, 5xx",
    "all on one",
    "half idle",
    "joined late",
]

Setting = Literal["", "unknown roster", "declared weights", "rollout", "requests lost"]
"""What is known or changes beside the balancer: nothing of the pods; pod 0 is meant to get MEANT times as much as
another; each pod is replaced in turn, of which the balancer hears HEARS_S later, and it is pod 0's successor that is
hot or starved; of the requests to any pod the part LOST waits in vain."""

ANSWERED, FAILED, GATEWAY, TIMEOUT, REFUSED, RESET = range(6)
"""How a request ends: answered by its pod; by it with a 5xx; by a proxy in its place with a 502, which names no pod;
and without an answer."""

EACH = {"kept": None, "every 5": 5, "new": 1}
SHAPES = {"hot 1.25": 1.25, "hot 2": 2.0, "hot 3": 3.0, "starved": 0.02}
EDGE_CV = 0.025
STICKS = 0.8
TIMEOUT_S = 1.0
BACKOFF_FIRST_S, BACKOFF_MOST_S = 0.1, 2.0
JOINS_AT = 1 / 3
SURE = 2.6
FAILS_OVER_AT = 0.5
MEANT = 3.0
HEARS_S = 2.0
LOST = 0.02
MOST_USERS = 50
MOST_A_SECOND, MOST_EACH = 10, 1_200


@dataclass(frozen=True, slots=True)
class Scene:
    """One balancer before its pods, and who asks it.

    picks: decisions of the balancer in `seconds`, in the effective sense. The first `warm_up_s` come on top.
    processes: of the load generator, which share the users. Pod 0 is the hot, starved, dead or late one; of "half idle"
    every second pod is idle.
    """

    case: Case
    layer: Layer
    policy: Policy
    pods: int
    picks: int
    seconds: int
    warm_up_s: int = 0
    processes: int = 1
    setting: Setting = ""

    @property
    def total_s(self) -> int:
        return self.seconds + self.warm_up_s

    @property
    def joins_at_s(self) -> int:
        """When the late pod is ready."""
        return self.warm_up_s + round(self.seconds * JOINS_AT)

    @property
    def replaced_s(self) -> Array:
        """When the successor of each pod is ready and the pod begins to end, one after the other."""
        if self.setting != "rollout":
            return np.full(self.pods, self.total_s + 1.0)
        return self.warm_up_s + self.seconds * (0.2 + 0.4 * np.arange(self.pods) / self.pods)


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests in the order in which they ended, one entry each.

    second: in which it ended. user, pod: who asked, whom it was sent to. outcome: see ANSWERED.
    opens, closes: its connection was opened for it, is closed after it.
    """

    second: Array
    user: Array
    pod: Array
    outcome: Array
    opens: Array
    closes: Array
    users: int


def meant_of(setting: Setting, pods: int) -> Array:
    """The part of the picks that is meant for each pod, shape (pods,)."""
    weights = np.ones(pods)
    weights[0] *= MEANT if setting == "declared weights" else 1.0
    return np.asarray(weights / weights.sum())


def shares_of(case: Case, pods: int, setting: Setting = "") -> Array:
    """The part of the picks that goes to each pod, shape (pods,)."""
    weights = pods * meant_of(setting, pods)
    if case == "edge":
        shape = (np.arange(pods) == 0).astype(float)
        weights += EDGE_CV * (shape - shape.mean()) / shape.std()
    elif case == "all on one":
        weights[1:] = 0
    elif case == "half idle":
        weights[1::2] = 0
    weights[0] *= SHAPES.get(case, 1.0)
    return np.asarray(weights / weights.sum())


def size_of(scene: Scene) -> tuple[int, int]:
    """Users, and requests of each in `seconds`, so that the balancer picks as often as the scene says."""
    if scene.policy == "kept" and scene.layer in ("layer 4", "hash"):
        return _kept_users(scene.picks, scene.seconds)
    if scene.policy == "kept" and scene.layer == "mixture":  # half of them pick so often that they hardly weigh
        return _kept_users(max(2, scene.picks // 2), scene.seconds)
    users = max(2, min(MOST_USERS, scene.picks // 5))
    return users, max(1, round(scene.picks * _requests_a_pick(scene) / users))


def _kept_users(users: int, seconds: int) -> tuple[int, int]:
    most = min(MOST_A_SECOND * seconds, MOST_EACH)
    return users, max(6, min(most, most * MOST_USERS // users))


def _requests_a_pick(scene: Scene) -> float:
    """The design effect of this balancer: requests that are worth one pick."""
    if scene.layer == "layer 7" or scene.policy == "new":
        return 1.0
    if scene.layer == "sticky":
        return (1 + STICKS) / (1 - STICKS) if scene.policy == "kept" else _sticky_effect(5)
    return 3.0 if scene.layer == "mixture" else 5.0


def _sticky_effect(requests: int) -> float:
    return 1 + 2 * sum((1 - j / requests) * STICKS**j for j in range(1, requests))


def traffic_of(scene: Scene, rng: np.random.Generator) -> Traffic:
    """One trial."""
    return _Users(scene, rng).run()


class _Users:
    """The users' state while time goes by in slots: in each, every user who is not waiting sends one request."""

    def __init__(self, scene: Scene, rng: np.random.Generator) -> None:
        self._scene, self._rng = scene, rng
        self._users, requests = size_of(scene)
        self._slots = max(1, round(requests * scene.total_s / scene.seconds))
        self._slot_s = scene.total_s / self._slots
        self._phase = rng.random(self._users)
        self._cumulative = np.cumsum(shares_of(scene.case, scene.pods, scene.setting))
        self._cumulative[-1] = 1.0
        self._heard_s = scene.replaced_s + HEARS_S
        self._pod = np.full(self._users, -1)
        self._left = np.zeros(self._users, dtype=int)
        self._free = np.zeros(self._users)
        self._streak = np.zeros(self._users, dtype=int)
        self._repicks = self._repick_chance()
        self._each = EACH[scene.policy] or 1 << 40
        self._out: list[tuple[Array, ...]] = []

    def run(self) -> Traffic:
        for slot in range(self._slots):
            self._slot(slot)
        ended_s, user, pod, outcome, opens, closes = (np.concatenate(column) for column in zip(*self._out, strict=True))
        kept = ended_s < self._scene.total_s
        order = np.argsort(ended_s[kept], kind="stable")
        columns = (column[kept][order] for column in (ended_s.astype(int), user, pod, outcome, opens, closes))
        return Traffic(*columns, users=self._users)

    def _slot(self, slot: int) -> None:
        user = np.flatnonzero(self._free <= slot)
        if not user.size:
            return
        at_s = (slot + self._phase[user]) * self._slot_s
        opens = self._pod[user] < 0
        self._left[user[opens]] = self._each
        picks = opens | (self._rng.random(user.size) < self._repicks[user])
        self._pod[user[picks]] = self._picked(at_s[picks])
        if slot == int(self._slots * FAILS_OVER_AT) and self._scene.layer == "hash":
            self._fail_over(user[~opens])
        self._send(slot, user, at_s, opens)

    def _send(self, slot: int, user: Array, at_s: Array, opens: Array) -> None:
        pod = self._pod[user]
        outcome = np.where(pod == 0, self._outcome_of_pod_0(), ANSWERED)
        if self._scene.setting == "requests lost":
            outcome[self._rng.random(user.size) < LOST] = TIMEOUT
        bad = outcome >= TIMEOUT
        self._left[user] -= 1
        closes = bad | (self._left[user] <= 0)
        self._streak[user] = np.where(bad, self._streak[user] + 1, 0)
        waited_s = np.where(outcome == TIMEOUT, TIMEOUT_S, 0.0)
        pause_s = np.where(bad, np.minimum(BACKOFF_FIRST_S * 2.0 ** (self._streak[user] - 1), BACKOFF_MOST_S), 0.0)
        self._free[user] = slot + 1 + np.floor((waited_s + pause_s) / self._slot_s)
        self._pod[user[closes]] = -1
        self._out.append((at_s + waited_s, user, pod, outcome, opens, closes))

    def _picked(self, at_s: Array) -> Array:
        chance = self._rng.random(at_s.size)
        pods = np.searchsorted(self._cumulative, chance, side="right")
        if self._scene.case == "joined late":
            others = 1 + (chance * (self._scene.pods - 1)).astype(int)
            pods = np.where(at_s < self._scene.joins_at_s, others, pods)
        pods = np.minimum(pods, self._scene.pods - 1)
        if self._scene.setting != "rollout":
            return pods
        before = at_s < self._heard_s[0]
        pods = np.where(before, (chance * self._scene.pods).astype(int), pods)
        return np.where(at_s < self._heard_s[pods], pods, pods + self._scene.pods)

    def _fail_over(self, user: Array) -> None:
        """The pods of a few connections are lost to their hash, which takes the next one for them."""
        few = user[: max(1, user.size // MOST_USERS)]
        self._pod[few] = self._picked(np.full(few.size, self._scene.total_s * FAILS_OVER_AT))

    def _repick_chance(self) -> Array:
        """How probable it is that a user's next request on the same connection is a pick of its own."""
        by_request = {"layer 7": 1.0, "sticky": 1 - STICKS}.get(self._scene.layer, 0.0)
        if self._scene.layer == "mixture":
            return (np.arange(self._users) % 2).astype(float)
        return np.full(self._users, by_request)

    def _outcome_of_pod_0(self) -> int:
        proxied = self._scene.layer != "layer 4"
        refused = {"dead, refuses": REFUSED, "dead, resets": RESET}
        if self._scene.case in refused:
            return GATEWAY if proxied else refused[self._scene.case]
        return {"dead, drops": TIMEOUT, "dead, 5xx": FAILED}.get(self._scene.case, ANSWERED)


def picks_needed(case: Case, pods: int, evidence: float, setting: Setting = "") -> int | None:
    """Picks after which evidence against a fair balancer is as large in nearly all runs; None for none.

    Of one pod that differs: the likelihood ratio of the true share, against the nearest one that a balancer at the
    threshold may give a pod (of twenty a ninth less than the fair one), averaged over pods and a grid of six shares and
    halved (the other half goes to "spread out"), at 2.6 standard deviations below its mean. Where many pods differ: the
    same of the chi-square's, in its Gaussian limit with a grid of ten. Both may be looked at any time.
    """
    shares, meant = shares_of(case, pods, setting), float(meant_of(setting, pods)[0])
    if case.startswith("dead"):
        shares = np.where(np.arange(pods) == 0, 1e-3 / pods, 1 / pods)
    if case == "half idle":
        return _spread_out(float(pods * (shares**2).sum() - 1), pods - 1, math.log(evidence * 2 * 10))
    part = float(shares[0] / shares.sum())
    room = EDGE_CV * math.sqrt((1 - meant) * meant)
    if abs(part - meant) <= room:
        return None
    seen, fair = (np.array([each, 1 - each]) for each in (part, meant + math.copysign(room, part - meant)))
    gain = np.array([math.log(s / f) if s else 0.0 for s, f in zip(seen, fair, strict=True)])
    mean = float(seen @ gain)
    spread = math.sqrt(max(0.0, float(seen @ gain**2) - mean**2))
    wanted = math.log(evidence * 2 * 6 * pods)
    root = (SURE * spread + math.sqrt((SURE * spread) ** 2 + 4 * mean * wanted)) / (2 * mean)
    return math.ceil(root**2)


def _spread_out(cv_squared: float, df: int, wanted: float) -> int:
    wanted += SURE * math.sqrt(2 * df) / 2
    picks = 1
    while picks * cv_squared / 2 - df / 2 * math.log1p(picks * cv_squared / df) < wanted:
        picks += 1
    return picks
