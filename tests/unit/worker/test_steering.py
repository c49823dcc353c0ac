"""Users and arrivals follow the plan's pattern."""

from __future__ import annotations

from scale_app.domain.pattern import Pattern
from scale_app.domain.plan import LoadPlan, PlanEdit
from scale_app.domain.timetable import Leg
from scale_app.worker.steering import STEER_EVERY_S, Steering

BEGAN_S = 1_000.0


class FakeForce:
    def __init__(self) -> None:
        self.asked: list[tuple[int, float]] = []
        self.legs: list[Leg] = []

    def start(self, user_count: int, spawn_rate: float) -> None:
        self.asked.append((user_count, spawn_rate))

    def follow(self, leg: Leg, began_s: float) -> None:
        assert began_s == BEGAN_S
        self.legs.append(leg)


def steering_of(executor: FakeForce, plan: LoadPlan) -> Steering:
    return Steering(executor, plan.pattern, BEGAN_S)


def test_a_constant_load_is_asked_for_once_and_again_after_an_edit() -> None:
    executor, plan = FakeForce(), LoadPlan(users=9, spawn_rate=3)
    steering = steering_of(executor, plan)
    for at_s in (0, 0.25, 0.5):
        steering.steer(plan, at_s)
    steering.steer(plan.edited(PlanEdit(users=5)), 0.6)
    assert executor.asked == [(9, 3), (5, 3)]


def test_users_follow_a_ramp_as_fast_as_the_spawn_rate_allows() -> None:
    executor, plan = FakeForce(), LoadPlan(users=100, spawn_rate=20, pattern=Pattern("ramp", low=0, period_s=1))
    steering = steering_of(executor, plan)
    for step in range(9):
        steering.steer(plan, step * STEER_EVERY_S)
    assert executor.asked[-1][0] == 1 + 8 * 5
    assert executor.asked[0][0] == 1


def test_arrivals_are_told_their_rate_while_all_users_stand_ready() -> None:
    executor = FakeForce()
    plan = LoadPlan(users=7, arrivals_per_s=100, pattern=Pattern("spike", low=0.5, begins_s=1, period_s=1))
    steering = steering_of(executor, plan)
    for at_s in (0, 1, 2):
        steering.steer(plan, at_s)
    steering.steer(plan.edited(PlanEdit(arrivals_per_s=10)), 2.5)
    # Once, and again after an edit: the pattern is followed by whoever sends.
    assert executor.legs == [Leg(0, 0, 100), Leg(2.5, 50 + 100 + 25, 10)]
    assert executor.asked == [(7, 7.0)]
