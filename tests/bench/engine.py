"""What a request costs the load engine and its peers, and whether its latencies are true.

Run it as `python -m tests.bench.engine`: interleaved runs against one server, medians; writes
build/bench-engine.json and prints a table. `--short` shows only that everything works. Not a timed test: figures
depend on the machine, ratios much less. Goals are ratios: docs/benchmarks.md says which are met.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scale_app.domain.plan import LoadPlan
from tests.bench.engine_contenders import (
    Contender,
    Measured,
    Task,
    h2load,
    locust_client,
    ours,
    run_worker,
    vegeta,
    wrk,
)
from tests.bench.engine_servers import Nginx, nginx, nginx_program, slow_server
from tests.bench.machine import circumstances

CONTENDERS: dict[str, Contender] = {
    "ours": ours,
    "fast_http_user": locust_client("FastHttpUser"),
    "http_user": locust_client("HttpUser"),
    "wrk": wrk,
    "h2load": h2load,
    "vegeta": vegeta,
}
SHORT_RATES_PER_S = (500,)
SHORT_CONTENDERS = ("ours", "fast_http_user", "wrk", "h2load")
OPEN_RATES_PER_S = (500, 2_000, 5_000)
FREEZE_AFTER_S = 2.0
FROZEN_S = 1.0
FROZEN_RUN_S = 6.0
FROZEN_RATE_PER_S = 500
SLOW_MS = [20.0] * 49 + [200.0]
OUTPUT = Path("build/bench-engine.json")

Json = dict[str, Any]


def cores() -> tuple[int | None, int | None]:
    """One for the client, another for the server, if there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def tasks(server: Nginx, seconds: float, core: int | None) -> dict[str, Task]:
    """What every contender is measured at."""
    return {
        "keep_alive": Task(server.url, seconds, core=core),
        "new_connection": Task(server.url, seconds, keep=False, core=core),
        "tls": Task(server.tls_url, seconds, certificate=server.certificate, core=core),
    }


def closed_loop(
    server: Nginx, rounds: int, seconds: float, core: int | None, contenders: dict[str, Contender]
) -> tuple[Json, Json]:
    """Medians of CPU milliseconds per 1,000 requests and of requests per second, by task and contender."""
    cpu_ms: Json = {}
    per_s: Json = {}
    for name, task in tasks(server, seconds, core).items():
        seen: dict[str, list[Measured]] = {contender: [] for contender in CONTENDERS}
        for _ in range(rounds):
            for contender, measure in contenders.items():
                if measured := measure(task):
                    seen[contender].append(measured)
        cpu_ms[name] = {who: _median([m.cpu_ms for m in runs]) for who, runs in seen.items()}
        per_s[name] = {who: _median([m.requests_per_s for m in runs]) for who, runs in seen.items()}
    return cpu_ms, per_s


def open_loop(server: Nginx, rounds: int, seconds: float, core: int | None, rates: Sequence[int]) -> Json:
    """By asked rate, of the run that was nearest to it: what was sent per second, CPU, how late the schedule was.

    The nearest, because other work on the machine only ever takes away from it.
    """
    runs = {rate: [_open_at(server, rate, seconds, core) for _ in range(rounds)] for rate in rates}
    return {str(rate): min(seen, key=lambda run: abs(run["sent_per_s"] - rate)) for rate, seen in runs.items()}


def _open_at(server: Nginx, rate: int, seconds: float, core: int | None) -> Json:
    plan = LoadPlan(users=50, duration_s=seconds + 1.5, requests_per_connection=None, arrivals_per_s=rate)
    said = run_worker(plan, server.url, core)
    first, last = said.samples[0], said.samples[-2]
    sent = last.requests - first.requests
    return {
        "sent_per_s": round(sent / (last.at_s - first.at_s), 2),
        "ours": round((said.cpu_s[-2] - said.cpu_s[0]) / sent * 1e6, 2),
        "schedule_lag_p99_ms": round(max(s.generator.schedule_lag_p99_ms for s in said.samples), 2),
        "late_arrivals": last.generator.late_arrivals,
    }


def frozen_server(core: int | None, server_core: int | None) -> Json:
    """Latencies while the server stands still for a second, and what they must be by arithmetic."""
    plan = LoadPlan(users=50, duration_s=FROZEN_RUN_S, arrivals_per_s=FROZEN_RATE_PER_S, requests_per_connection=None)
    with slow_server([0.0], server_core) as (url, pid):
        freezer = threading.Timer(FREEZE_AFTER_S, _freeze, [pid])
        latency = run_worker(plan, url, core, freezer.start).latency
        freezer.join()
    truth = {f"p{q}_ms": round((FROZEN_S - (1 - q / 100) * FROZEN_RUN_S) * 1_000) for q in (95, 99)}
    return {"ours": {f"p{q}_ms": _rounded(latency.quantile_ms(q / 100)) for q in (95, 99)}, "truth": truth}


def _freeze(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(FROZEN_S)
    os.kill(pid, signal.SIGCONT)


def slow_answers(seconds: float, core: int | None, server_core: int | None) -> Json:
    """Latencies of a server that answers after 20 ms, and each fiftieth time after 200 ms."""
    plan = LoadPlan(users=100, duration_s=seconds, arrivals_per_s=500, requests_per_connection=None)
    with slow_server(SLOW_MS, server_core) as (url, _):
        latency = run_worker(plan, url, core).latency
    seen = {f"p{q:g}_ms": _rounded(latency.quantile_ms(q / 100)) for q in (50, 97, 99)}
    return {"ours": seen, "truth": {"p50_ms": 20.0, "p97_ms": 20.0, "p99_ms": 200.0}}


def table(report: Json) -> str:
    """The report for people."""
    lines = ["CPU ms per 1,000 requests (requests/s)".ljust(40) + "".join(f"{who:>22}" for who in CONTENDERS)]
    for name in ("keep_alive", "new_connection", "tls"):
        cells = (_cell(report[name][who], report["requests_per_s"][name][who]) for who in CONTENDERS)
        lines.append(name.ljust(40) + "".join(f"{cell:>22}" for cell in cells))
    lines += [f"{name}: {json.dumps(report[name])}" for name in ("open_loop", "frozen_server", "slow_answers")]
    return "\n".join(lines)


def _cell(cpu_ms: float | None, per_s: float | None) -> str:
    return "-" if cpu_ms is None or per_s is None else f"{cpu_ms:,.1f} ({per_s:,.0f})"


def _median(values: list[float]) -> float | None:
    return round(statistics.median(values), 2) if values else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write. 2 without nginx."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="one short round: shows that it works, measures nothing")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each contender; medians are reported")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each run")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the JSON goes")
    chosen = parser.parse_args(arguments)
    rounds, seconds = (1, 1.0) if chosen.short else (chosen.rounds, chosen.seconds)
    if nginx_program() is None:
        print("nginx is not installed, so there is nothing to measure against.", file=sys.stderr)
        return 2
    report = measure(rounds, seconds, chosen.short)
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    chosen.output.write_text(json.dumps(report, indent=2) + "\n")
    print(table(report))
    return 0


def measure(rounds: int, seconds: float, short: bool = False) -> Json:
    """The whole report. short: with fewer contenders and rates."""
    contenders = {name: CONTENDERS[name] for name in (SHORT_CONTENDERS if short else CONTENDERS)}
    rates = SHORT_RATES_PER_S if short else OPEN_RATES_PER_S
    core, server_core = cores()
    load_before = os.getloadavg()[0]
    with nginx(server_core) as server:
        cpu_ms, per_s = closed_loop(server, rounds, seconds, core, contenders)
        opened = open_loop(server, rounds, seconds, core, rates)
    return {
        **cpu_ms,
        "open_loop": opened,
        "frozen_server": frozen_server(core, server_core),
        "slow_answers": slow_answers(max(seconds, 2.0), core, server_core),
        "requests_per_s": per_s,
        **circumstances(load_before),
    }


if __name__ == "__main__":
    sys.exit(main())
