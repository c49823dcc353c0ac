"""Clients that send too much, do not read, or all want something else at once; receivers of alerts that hang."""

from __future__ import annotations

import base64
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from tests.faults.cells import Outcome, Scale, cell, until
from tests.faults.installation import LATE_S, Installation, installation, viewer
from tests.faults.many_pods import many_pods
from tests.webhook import running_webhook

PAIRS = 10
BODIES = 10
POINTS = 150_000
NORMAL_CLOSE = 1000
STALL_S = 1.0
"""Of /healthz on a machine that others share; `make bench` of the limits is where milliseconds are measured."""


@cell("edits two at a time", "running", quick=True)
def _edits(form: Scale, outcome: Outcome) -> None:
    with installation(form.scratch) as scale, ThreadPoolExecutor(2) as both:
        run_id = scale.start(users=2, spawn_rate=100, duration_s=30)
        scale.at(run_id, 1)
        lost = 0
        for users in range(10, 10 + PAIRS):
            edits = ({"users": users}, {"spawn_rate": float(users)})
            answers = list(both.map(lambda edit: scale.ask(f"/api/v1/runs/{run_id}", edit, "PATCH"), edits))
            plan = scale.run(run_id)["plan"]
            lost += (plan["users"], plan["spawn_rate"]) != (users, users)
            outcome.expect("each edit is answered", all(status == 200 for status, _ in answers))
        want = 10 + PAIRS - 1
        until(lambda: scale.run(run_id)["last"]["users"] == want, f"{want} users", 15)
        scale.ask(f"/api/v1/runs/{run_id}/stop", {}, "POST")
        run = scale.ended(run_id)
        outcome.seen, outcome.kept = (
            f"{lost} of {PAIRS} pairs lost an edit",
            f"{run['plan']['users']} users in the plan",
        )
        outcome.said = run["state"]
        outcome.expect("every edit is kept", lost == 0)


@cell("bodies of 150,000 points", "running")
def _huge_bodies(form: Scale, outcome: Outcome) -> None:
    points = [{"at_s": at, "level": 1.0} for at in range(POINTS)]
    plan = {"target_url": "demo", "pattern": {"shape": "points", "points": points}}
    with installation(form.scratch) as scale, ThreadPoolExecutor(BODIES) as many:
        run_id = scale.start(duration_s=10)
        scale.at(run_id, 2)
        with viewer(scale, run_id) as looks:
            sent = [many.submit(_status, scale, plan) for _ in range(BODIES)]
            worst_s = 0.0
            while not all(each.done() for each in sent):
                began_s = time.monotonic()
                scale.ask("/healthz")
                worst_s = max(worst_s, time.monotonic() - began_s)
            statuses = sorted({each.result() for each in sent})
            run = scale.ended(run_id)
        outcome.seen = f"/healthz within {worst_s:.2f} s, a new second at least every {looks.worst_wait_s:.1f} s"
        outcome.kept, outcome.said = run["state"], f"status {', '.join(map(str, statuses))}"
        outcome.expect("they are refused", all(400 <= status < 500 for status in statuses))
        outcome.expect("nothing is held up", worst_s < STALL_S and looks.worst_wait_s < LATE_S)


def _status(scale: Installation, plan: object) -> int:
    with suppress(OSError):  # a refusal may close the connection before all of the body is sent
        return scale.ask("/api/v1/runs", plan)[0]
    return 413


@cell("viewer that never reads", "running")
def _deaf_viewer(form: Scale, outcome: Outcome) -> None:
    with installation(form.scratch) as scale:
        run_id = scale.start(duration_s=10)
        scale.at(run_id, 1)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", scale.server.port))
            deaf.sendall(_handshake(scale.server.port, f"/ws/metrics?test_id={run_id}"))
            with viewer(scale, run_id) as looks:
                run = scale.ended(run_id)
        outcome.seen = f"others: a new second at least every {looks.worst_wait_s:.1f} s"
        outcome.kept, outcome.said = f"{len(scale.seconds(run_id))} points of 10 seconds", run["state"]
        outcome.expect("the run has finished", run["state"] == "finished")
        outcome.expect("others see each second", looks.worst_wait_s < LATE_S)


SERVER_CLOSES_S = 60.0


@cell("viewer that pauses and reads on", "ended")
def _late_reader(form: Scale, outcome: Outcome) -> None:
    """More is sent than its buffers take, so the server has to let it go: never with the code of an end seen whole."""
    with many_pods(300) as target, installation(form.scratch) as scale:
        run_id = scale.start(target_url=target.url, users=20, duration_s=20, requests_per_connection=1)
        scale.at(run_id, 1)
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect(("127.0.0.1", scale.server.port))
            deaf.sendall(_handshake(scale.server.port, f"/ws/metrics?test_id={run_id}"))
            run = scale.ended(run_id)
            read, ends = _read_to_the_end(deaf)
        code = int.from_bytes(read[-2:]) if len(read) > 2 else 0
        outcome.seen = f"{len(read):,} bytes read late; its connection {'ends' if ends else 'stays open'}"
        outcome.kept, outcome.said = run["state"], "cut off" if code != NORMAL_CLOSE else "closed with 1000"
        outcome.expect("its connection ends", ends)
        outcome.expect("the run has finished", run["state"] == "finished")


def _read_to_the_end(deaf: socket.socket) -> tuple[bytes, bool]:
    """All that was sent, and whether the connection has ended."""
    deaf.settimeout(SERVER_CLOSES_S)
    read = bytearray()
    try:
        while piece := deaf.recv(65_536):
            read += piece
    except TimeoutError:
        return bytes(read), False
    except ConnectionError:
        pass
    return bytes(read), True


def _handshake(port: int, path: str) -> bytes:
    key = base64.b64encode(b"sixteen bytes ..").decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Upgrade: websocket", "Connection: Upgrade"]
    return "\r\n".join([*lines, f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]).encode()


@cell("a receiver of alerts hangs", "running")
def _hanging_receiver(form: Scale, outcome: Outcome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, running_webhook() as hook:
        taken: list[socket.socket] = []
        threading.Thread(target=_take, args=(silent, taken), daemon=True).start()
        urls = f"json://127.0.0.1:{silent.getsockname()[1]}/ json://127.0.0.1:{hook.port}/"
        with installation(form.scratch, SCALE_NOTIFY_URLS=urls) as scale:
            scale.ask("/api/v1/demo", {"policy": "weighted", "weight": 10.0}, "PATCH")
            run_id = scale.start(users=20, duration_s=20, requests_per_connection=1)
            run = scale.ended(run_id)
            heard = until(lambda: len(hook.got) >= 2 and hook.got, "the other receiver hears of it", 20)
            _, here = scale.ask("/api/v1/installation")
        for each in taken:
            each.close()
        outcome.seen, outcome.kept = run["state"], f"{len(heard)} messages at the other receiver"
        outcome.said = here["notify_problem"]
        outcome.expect("the run has finished", run["state"] == "finished")


@cell("a receiver of alerts refuses", "running")
def _refusing_receiver(form: Scale, outcome: Outcome) -> None:
    with running_webhook() as refusing, running_webhook() as hook:
        refusing.status = 500
        urls = f"json://127.0.0.1:{refusing.port}/ json://127.0.0.1:{hook.port}/"
        with installation(form.scratch, SCALE_NOTIFY_URLS=urls) as scale:
            scale.ask("/api/v1/demo", {"policy": "weighted", "weight": 10.0}, "PATCH")
            run = scale.ended(scale.start(users=20, duration_s=12, requests_per_connection=1))
            heard = until(lambda: hook.got, "the other receiver hears of it", 20)
            outcome.said = until(lambda: scale.ask("/api/v1/installation")[1]["notify_problem"], "it is said", 30)
        outcome.seen, outcome.kept = run["state"], f"{len(heard)} messages at the other receiver"
        outcome.expect("the run has finished", run["state"] == "finished")


def _take(silent: socket.socket, taken: list[socket.socket]) -> None:
    with suppress(OSError):
        while True:
            taken.append(silent.accept()[0])
