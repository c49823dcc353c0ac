"""Locust's own two clients under the bench: one process, one user class, CPU and requests of a window.

Run as `python -m tests.bench.locust_clients <FastHttpUser|HttpUser> <url> <users> <seconds> <keep|new>`;
prints {"requests": n, "cpu_s": s, "wall_s": s}.
"""

from __future__ import annotations

import json
import logging
import sys
import time

import gevent
import locust
from locust import User, task
from locust.env import Environment

WARM_UP_S = 1.0
LONGEST_S = 20.0


def user_class(kind: str, url: str, keep: bool) -> type[User]:
    """A user of that kind that asks again and again; neither checks certificates, as is FastHttpUser's default."""
    headers = {} if keep else {"Connection": "close"}

    class Client(getattr(locust, kind)):  # type: ignore[misc]
        host = url

        @task
        def ask(self) -> None:
            extra = {} if kind == "FastHttpUser" else {"verify": False}
            self.client.get("/", headers=headers, **extra)

    return Client


def main() -> None:
    kind, url, users, seconds, policy = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    environment = Environment(user_classes=[user_class(kind, url.rstrip("/"), policy == "keep")])
    runner = environment.create_local_runner()
    runner.start(int(users), float(users))
    gevent.sleep(WARM_UP_S)
    requests, cpu_s, at_s = environment.stats.total.num_requests, time.process_time(), time.monotonic()
    gevent.sleep(float(seconds))
    total = environment.stats.total
    while total.num_requests == requests and time.monotonic() - at_s < LONGEST_S:
        gevent.sleep(0.1)  # a short window on a busy machine
    measured = {
        "requests": total.num_requests - requests,
        "failures": total.num_failures,
        "cpu_s": time.process_time() - cpu_s,
        "wall_s": time.monotonic() - at_s,
    }
    print(json.dumps(measured), flush=True)
    runner.quit()


if __name__ == "__main__":
    main()
