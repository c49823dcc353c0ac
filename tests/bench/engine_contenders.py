"""Who is measured by the engine's bench, and how: CPU of the client's process per request that was answered."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from scale_app.codec import from_json, to_json
from scale_app.domain.histogram import Histogram, merged
from scale_app.domain.plan import LoadPlan
from scale_app.domain.samples import LoadEnded, LoadReady, Sample, TrafficSample
from tests.bench.engine_servers import pin

CONNECTIONS = 50
VEGETA = "github.com/tsenart/vegeta/v12@v12.12.0"
GO_PROGRAMS = Path("build/go/bin")
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Task:
    """url; seconds to measure; one connection for all requests of a user, or a new one each; CA file for https."""

    url: str
    seconds: float
    keep: bool = True
    certificate: Path | None = None
    core: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """cpu_ms: per 1,000 requests."""

    cpu_ms: float
    requests_per_s: float


Contender = Callable[[Task], Measured | None]
"""None when it is not installed, or cannot do the task."""


@dataclass(slots=True)
class WorkerRun:
    """What one run of our worker said, and its CPU seconds and its memory (MiB) at each traffic sample."""

    samples: list[TrafficSample] = field(default_factory=list)
    cpu_s: list[float] = field(default_factory=list)
    resident_mib: list[float] = field(default_factory=list)
    ready_s: float = 0.0

    @property
    def latency(self) -> Histogram:
        return merged(pod.latency for pod in self.samples[-1].pods.values())


def run_worker(plan: LoadPlan, url: str, core: int | None, ready: Callable[[], None] = lambda: None) -> WorkerRun:
    """Our worker from begin to end. Raises SystemExit when a request failed: nothing is measured then."""
    said = WorkerRun()
    command = [sys.executable, "-m", "scale_app.worker", str(os.getpid())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pin(process.pid, core)
        process.stdin.write(to_json({"plan": plan, "target": {"url": url, "networks": ("127.0.0.0/8", "::1")}}) + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            sample: Sample = from_json(Sample, line)  # type: ignore[arg-type]
            if isinstance(sample, TrafficSample):
                said.samples.append(sample)
                said.cpu_s.append(_cpu_s(process.pid))
                said.resident_mib.append(_resident_mib(process.pid))
            elif isinstance(sample, LoadReady):
                said.ready_s = sample.at_s
                ready()
            elif isinstance(sample, LoadEnded):
                break
    if said.samples[-1].errors:
        raise SystemExit(f"Requests failed, so nothing was measured: {dict(said.samples[-1].errors)}")
    return said


def ours(task: Task) -> Measured:
    """The worker as it is shipped, everything counted."""
    plan = LoadPlan(
        users=CONNECTIONS,
        spawn_rate=5_000,
        duration_s=task.seconds + 1.5,
        think_time_s=0,
        requests_per_connection=None if task.keep else 1,
        ca_pem=task.certificate.read_text() if task.certificate else "",
    )
    said = run_worker(plan, task.url, task.core)
    first, last = said.samples[0], said.samples[-2]
    requests = last.requests - first.requests
    cpu_s = said.cpu_s[-2] - said.cpu_s[0]
    return Measured(cpu_s / requests * 1e6, requests / (last.at_s - first.at_s))


def locust_client(kind: str) -> Contender:
    """FastHttpUser or HttpUser."""

    def measure(task: Task) -> Measured:
        policy = "keep" if task.keep else "new"
        arguments = [kind, task.url, str(CONNECTIONS), str(task.seconds), policy]
        command = [sys.executable, "-W", "ignore", "-m", "tests.bench.locust_clients", *arguments]
        output, _ = _run(command, task.core)
        seen = json.loads(output)
        if seen["failures"]:
            warnings.warn(f"{kind}: {seen['failures']} requests failed", stacklevel=2)
        return Measured(seen["cpu_s"] / seen["requests"] * 1e6, seen["requests"] / seen["wall_s"])

    return measure


def wrk(task: Task) -> Measured | None:
    header = [] if task.keep else ["-H", "Connection: close"]
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{round(task.seconds)}", *header, task.url]
    return _native(command, task, re.compile(r"(\d+) requests in"))


def h2load(task: Task) -> Measured | None:
    if not task.keep:
        return None
    command = ["h2load", "--h1", "-t1", f"-c{CONNECTIONS}", "-D", str(round(task.seconds)), task.url]
    return _native(command, task, re.compile(r"requests: \d+ total, \d+ started, \d+ done, (\d+) succeeded"))


def vegeta(task: Task) -> Measured | None:
    program = vegeta_program()
    if program is None:
        return None
    keep = f"-keepalive={'true' if task.keep else 'false'}"
    attack = f"echo GET {task.url} | {program} attack -insecure -rate=0 -max-workers={CONNECTIONS} {keep}"
    command = ["sh", "-c", f"{attack} -duration={round(task.seconds)}s | {program} report -type=json"]
    return _native(command, task, re.compile(r'"requests":(\d+)'))


@cache
def vegeta_program() -> str | None:
    """The installed one, or one built by Go the first time; None without both."""
    found = shutil.which("vegeta") or shutil.which("vegeta", path=GO_PROGRAMS)
    if found or shutil.which("go") is None:
        return found
    environment = os.environ | {"GOBIN": str(GO_PROGRAMS.absolute())}
    built = subprocess.run(["go", "install", VEGETA], env=environment, capture_output=True, text=True, check=False)
    if built.returncode:
        print(f"vegeta is left out, since it could not be built: {built.stderr.strip()[-200:]}", file=sys.stderr)
    return shutil.which("vegeta", path=GO_PROGRAMS)


def _native(command: list[str], task: Task, requests_in: re.Pattern[str]) -> Measured | None:
    if shutil.which(command[0]) is None:
        return None
    output, cpu_s = _run(command, task.core)
    found = requests_in.search(output)
    if not found or not int(found[1]):
        raise SystemExit(f"{command[0]} said nothing that can be used: {output[-300:]!r}")
    return Measured(cpu_s / int(found[1]) * 1e6, int(found[1]) / task.seconds)


def _run(command: list[str], core: int | None) -> tuple[str, float]:
    """Output and CPU seconds of a command and its children."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        pin(process.pid, core)
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return output, used.ru_utime + used.ru_stime


def _resident_mib(pid: int) -> float:
    """Memory of a process that is really in use."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _cpu_s(pid: int) -> float:
    """CPU seconds that a process has used, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S
