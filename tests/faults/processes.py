"""Processes that die, hang or are paused: the load generator, one of several worker processes, the server, the demo."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial

from tests.faults.cells import Outcome, Scale, cell, until
from tests.faults.installation import Installation, alive, children, installation, stopped, viewer
from tests.faults.many_pods import many_pods

MOMENTS = {"starting": 0.0, "ramp": 2.0, "running": 4.0, "last second": 8.0}
PLAN = {"users": 12, "spawn_rate": 3, "duration_s": 9}


def _a_slot_is_free(scale: Installation, outcome: Outcome) -> None:
    again = scale.ended(scale.start(users=2, duration_s=1))
    outcome.expect("another run can follow", again["state"] == "finished")


def _end_the_generator(number: signal.Signals, seconds: float, scale_form: Scale, outcome: Outcome) -> None:
    with installation(scale_form.scratch) as scale:
        run_id = scale.start(**PLAN)
        until(scale.workers, "the load generator")
        scale.at(run_id, seconds)
        for pid in scale.workers():
            os.kill(pid, number)
        run = scale.ended(run_id)
        known = scale.seconds(run_id)
        outcome.seen, outcome.said = f"{run['state']} after {len(known)} s", run["message"]
        scale.stored(run_id)
        outcome.kept = f"{len(scale.seconds(run_id))} points"
        outcome.expect("the run has failed", run["state"] == "failed")
        outcome.expect("the signal is named", number.name in run["message"])
        outcome.expect("each second before is kept", max(known, default=0.0) >= seconds - 1)
        _a_slot_is_free(scale, outcome)


for _number, _done in ((signal.SIGKILL, "killed"), (signal.SIGTERM, "told to end")):
    for _moment, _seconds in MOMENTS.items():
        cell(f"load generator {_done}", _moment)(partial(_end_the_generator, _number, _seconds))


def _kill_one_worker_process(seconds: float, scale_form: Scale, outcome: Outcome) -> None:
    with installation(scale_form.scratch) as scale:
        run_id = scale.start(**PLAN | {"processes": 3})
        scale.at(run_id, seconds)
        workers = until(
            lambda: [pid for worker in scale.workers() for pid in children(worker)], "three worker processes"
        )
        os.kill(random.Random(seconds).choice(workers), signal.SIGKILL)
        scale.at(run_id, PLAN["duration_s"] - 1)
        users = scale.run(run_id)["last"]["users"]
        run = scale.ended(run_id)
        outcome.seen = f"{run['state']}, {users} users in its last second"
        outcome.said = run["message"] or scale.told(run_id)
        outcome.kept = f"{len(scale.seconds(run_id))} points"
        outcome.expect("a sentence tells of it", outcome.said)
        if seconds:  # one that dies before it ever sent anything may also be why the run could not begin
            outcome.expect("the run has finished", run["state"] == "finished")
        if 0 < seconds < MOMENTS["last second"]:  # in the last one there is no time left for the others to take them
            outcome.expect("all users are there again", users == PLAN["users"])


for _moment in MOMENTS:
    cell("one of three worker processes killed", _moment, quick=_moment == "ramp")(
        partial(_kill_one_worker_process, MOMENTS[_moment])
    )


def _pause(whom: str, seconds: float, scale_form: Scale, outcome: Outcome) -> None:
    with installation(scale_form.scratch) as scale:
        run_id = scale.start(**PLAN | {"duration_s": 20 if seconds < 8 else 9})
        scale.at(run_id, max(1.0, seconds))
        pids = scale.workers() if whom == "load generator" else [scale.pid]
        with stopped(*pids):
            time.sleep(12.5)
        run = scale.ended(run_id)
        known = scale.seconds(run_id)
        outcome.seen, outcome.said = run["state"], run["message"] or scale.told(run_id)
        outcome.kept = f"{len(known)} points, the last at second {max(known):.0f}"
        outcome.expect("the run has finished", run["state"] == "finished")


for _whom in ("load generator", "server"):
    for _moment in ("running", "last second"):
        cell(f"{_whom} paused for 12 s", _moment)(partial(_pause, _whom, MOMENTS[_moment]))


@cell("server paused for 1.6 s, 300 pods", "last second")
def _last_sample_of_many_pods(scale_form: Scale, outcome: Outcome) -> None:
    with installation(scale_form.scratch) as scale, many_pods(300) as target:
        run_id = scale.start(target_url=target.url, users=30, duration_s=6, requests_per_connection=1, think_time_s=0)
        scale.at(run_id, 5.0)
        time.sleep(0.4)
        with stopped(scale.pid):
            time.sleep(1.6)
        run = scale.ended(run_id)
        counted = sum(pod["requests"] for pod in run["last"]["pods"])
        outcome.seen, outcome.said = f"{run['state']}, {len(run['last']['pods'])} pods", run["message"]
        outcome.kept = f"{counted:,} of {target.answered:,} answers"
        outcome.expect("the run has finished", run["state"] == "finished")
        outcome.expect("each answer is counted", counted == target.answered)


def _end_the_server(number: signal.Signals, seconds: float, scale_form: Scale, outcome: Outcome) -> None:
    database = f"sqlite+aiosqlite:///{scale_form.scratch}/kept.db"
    (scale_form.scratch / "again").mkdir()
    with installation(scale_form.scratch, database) as scale:
        run_id = scale.start(**PLAN)
        scale.at(run_id, seconds)
        time.sleep(0.2 if seconds == MOMENTS["last second"] else 1)  # it must still run
        seen = scale.seconds(run_id)
        family = [scale.pid, *scale.workers(), scale.demo()]
        exit_code, took_s = scale.server.stop(number)
    until(lambda: not any(map(alive, family)), "the end of its processes", 10)
    with installation(scale_form.scratch / "again", database) as scale:
        run = scale.run(run_id)
        kept = scale.seconds(run_id)
    outcome.seen = f"gone after {took_s:.1f} s (exit code {exit_code}), no process left"
    outcome.said, outcome.kept = run["message"], f"{len(kept)} of {len(seen)} points that were seen"
    outcome.expect("the run was interrupted", run["state"] == "interrupted")
    # What was seen in the last moment before a SIGKILL may not be stored yet (decision 8).
    spare = 1 if number is signal.SIGKILL else 0
    outcome.expect("each second that was seen is kept", len(kept) >= len(seen) - spare)
    outcome.expect("it ends within 10 s", took_s <= 10)


for _number in (signal.SIGKILL, signal.SIGTERM):
    for _moment in MOMENTS:
        cell(f"server ended by {_number.name}", _moment)(partial(_end_the_server, _number, MOMENTS[_moment]))


def _kill_the_demo(seconds: float, scale_form: Scale, outcome: Outcome) -> None:
    with installation(scale_form.scratch) as scale:
        run_id = scale.start(**PLAN | {"duration_s": 20})
        scale.at(run_id, seconds)
        until(scale.workers, "the load generator")
        os.kill(scale.demo(), signal.SIGKILL)
        run = scale.ended(run_id, 15)
        outcome.seen = f"{run['state']} after {len(scale.seconds(run_id))} s"
        outcome.said, outcome.kept = run["message"], f"{len(scale.seconds(run_id))} points"
        outcome.expect("the run has failed", run["state"] == "failed")
        outcome.expect("a sentence says why", run["message"])
        _a_slot_is_free(scale, outcome)


for _moment in MOMENTS:
    cell("demo killed", _moment, quick=_moment == "running")(partial(_kill_the_demo, MOMENTS[_moment]))


@cell("nothing", "whole run")
def _nothing(scale_form: Scale, outcome: Outcome) -> None:
    """Without a fault each answer is counted, which is what the other rows are held against."""
    with installation(scale_form.scratch) as scale:
        run_id = scale.start(**PLAN)
        with viewer(scale, run_id) as looks:
            run = scale.ended(run_id)
        counted = {pod["name"]: pod["requests"] for pod in run["last"]["pods"]}
        outcome.seen = f"{run['state']}, a new second at least every {looks.worst_wait_s:.1f} s"
        outcome.kept, outcome.said = f"{sum(counted.values()):,} answers, pod by pod as they say", run["message"]
        outcome.expect("the run has finished", run["state"] == "finished")
        outcome.expect("counts are those of the pods", counted == scale.answered_by_pods())
